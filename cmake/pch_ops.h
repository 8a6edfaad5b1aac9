// A precompiled header for targets of which most sources call operators: theirs read ATen's context, which costs a source eight seconds,
// and three with this.
#pragma once
#include <ATen/TensorOperators.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include "cmake/pch.h"
