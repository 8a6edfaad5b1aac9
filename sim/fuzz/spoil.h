#pragma once
// Cases that are wrong on purpose: a drawn one with one thing done to its file after which it is none. Each has to be refused, with
// Code::data and the place, and never to be played or to bring anybody down.
#include <cstdint>
#include <string>

#include "sim/scenario/case.h"

namespace reloadlab::sim::fuzz {

// What a file is spoiled by, and how many ways there are.
std::string spoiled(std::string text, uint64_t which);
uint64_t spoils();

// Spoils the case's file in a way that the seed draws, and reads it. Empty where it is refused as it should be; otherwise what was wrong
// with that.
std::string misread(const Case& the_case, uint64_t seed);

// The same case from a checkpoint that is no file.
Case from_nowhere(Case the_case);

}  // namespace reloadlab::sim::fuzz
