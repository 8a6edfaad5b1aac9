#pragma once
// Whether candidates do the same, case by case: the same verdicts for the same first evidence, the same errors, bytes, addresses and
// completion (sim/evidence/behaviour.h). The first candidate is what the others are held against.
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sim/campaign/attempt.h"

namespace reloadlab::sim {

struct Differing {
  std::string id, scenario, first, candidate;
  std::string left_out;            // why they could not be compared; empty where they were
  std::vector<Disagreement> rows;  // the first of each aspect, verdicts first; none: they do the same
};

class Differential {
 public:
  // Each answer as it comes, those of one case together; REQUIRES that answers were asked to describe behaviour.
  void add(const Answer& answer);
  std::vector<Differing>& all() { return all_; }

 private:
  std::optional<Answer> first_;  // of the case that is under way
  std::vector<Differing> all_;
};

std::string_view word(const Differing& one);             // "the same", "known", "differs", "not compared"
std::string disagreement_text(const Disagreement& row);  // "law_a: fail at warm, step 1 | pass"
// "verdicts  law_a: fail at warm, step 1 | pass"
std::string differing_text(const Differing& one);
std::string differential_markdown(const std::vector<Differing>& all);
// Those that differ or were not compared, and how many were the same.
nlohmann::ordered_json differential_json(const std::vector<Differing>& all);

}  // namespace reloadlab::sim
