#pragma once
// Scenario files, played by a candidate in the test's own process.
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/evidence/evidence.h"
#include "sim/law/law.h"

namespace reloadlab::mutants {

struct Played {
  sim::Evidence evidence;
  std::vector<sim::Verdict> verdicts;
  bool fails(std::string_view law) const;
};

// The cases that the text of a scenario file expands into. What cannot be read is the running test's failure.
std::vector<sim::Case> cases_of(std::string_view text, const std::string& file);
std::vector<sim::Case> cases_in(const std::string& file);
// Every case of the file. What cannot be read or played is the running test's failure.
std::vector<Played> play(const std::string& file, const std::string& candidate);
std::vector<Played> play(const std::vector<sim::Case>& cases, const std::string& candidate);
// Of the first case of a scenario's text.
std::vector<sim::Verdict> verdicts_of(std::string_view text, const std::string& candidate);
std::string told(const sim::Verdict& verdict);

// The laws that a mutant breaks there, and what they say. A law that cannot judge is the running test's failure.
struct Kills {
  std::set<std::string> laws;
  std::string text;
};
Kills kills(std::string_view text, std::string_view mutant);

}  // namespace reloadlab::mutants
