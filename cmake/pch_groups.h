// The other precompiled header: for targets of which most sources talk to communicators. c10d's headers read all of ATen's, which costs a
// source eleven seconds, and four with this.
#pragma once
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "cmake/pch.h"
