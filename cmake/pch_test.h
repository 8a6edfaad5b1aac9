// The precompiled header of tests that touch tensors.
#pragma once
#include <gtest/gtest.h>

#include "cmake/pch_ops.h"
