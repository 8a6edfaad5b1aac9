// The precompiled header of tests that talk to communicators.
#pragma once
#include <gtest/gtest.h>

#include "cmake/pch_groups.h"
