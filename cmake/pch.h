// The one precompiled header: what nearly every file that touches tensors includes, and no more. A compiler goes through the pending
// templates of a precompiled header in each file anew: ATen/ATen.h, torch/library.h and the dispatcher cost 3.3 of a file's 5 to 7 seconds,
// this 0.7.
#pragma once
#include <ATen/core/Tensor.h>
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
