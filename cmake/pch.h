// The one precompiled header: what nearly every file that touches tensors includes. What IValue comes with (ATen/ATen.h, ATen/Functions.h,
// torch/library.h) is left to those that need it: the compiler instantiates the templates of this header again in every file, and of
// these that takes two seconds.
#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>
