#pragma once
// Small models of each family of files, with the names that transformers stores them under, written out by hand: nothing here looks at
// the tables that are tested.
#include <string>
#include <vector>

#include "reference/base/scalar.h"

namespace reloadlab::sim {

struct Family {
  std::string name;  // "qwen2_moe"
  std::string architecture, map;
  Values values;
  std::vector<std::string> names;     // each goes to one place
  std::vector<std::string> left_out;  // files have them, models do not
  bool respelt = false;               // some names in an older spelling, which is understood and never given
};

std::vector<Family> families();

}  // namespace reloadlab::sim
