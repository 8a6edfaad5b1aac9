#pragma once
// Scenario files, played by a candidate in the test's own process.
#include <string>
#include <vector>

#include "sim/evidence/evidence.h"
#include "sim/law/law.h"

namespace reloadlab::mutants {

struct Played {
  sim::Evidence evidence;
  std::vector<sim::Verdict> verdicts;
  bool fails(std::string_view law) const;
};

// Every case of the file. What cannot be read or played is the running test's failure.
std::vector<Played> play(const std::string& file, const std::string& candidate);
std::string told(const sim::Verdict& verdict);

}  // namespace reloadlab::mutants
