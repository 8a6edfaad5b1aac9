#pragma once
// The expectation files of a campaign: read once per scenario, compared with what came out, rewritten on demand.
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "sim/campaign/expectation.h"
#include "sim/report/run_result.h"

namespace reloadlab::sim {

class ExpectationBook {
 public:
  // Reads the file of every scenario among the cases. `cases` are all that the scenario files expand into, selected or not.
  static Result<ExpectationBook> open(std::span<const Case> cases, const std::vector<std::string>& law_ids);

  // Turns fail into known, pass into unexpected_pass and so on, where an entry says so.
  void apply(CaseResult& result) const;
  // Takes over what the result came to, whatever was expected. REQUIRES that apply() has not been called on it.
  void learn(const CaseResult& result);
  // Rewrites the files of the scenarios that learn() saw; a file with nothing to say is removed. Returns what was done, a line each.
  // A failure that no rule explains (no LWn, Bnn or Lnn in the scenario's `about`) is not written down: it stays a failure.
  Result<std::vector<std::string>> save();

  const ExpectationFile* file_of(const std::string& scenario_file) const;

 private:
  struct Page {
    std::filesystem::path path;  // empty: no file yet
    Case sample;                 // any case of the scenario: its system, about, file
    std::vector<std::string> variants;
    ExpectationFile file;
    bool learnt = false;
    std::set<std::string> unexplained;  // laws that fail without a rule
  };
  std::map<std::string, Page> pages_;  // by scenario file
  std::vector<std::string> law_order_;
};

// The first rule or bug that the text names: LW5, B10, L09, OQ3, SW2; empty when it names none.
std::string first_rule(std::string_view about);

// For lint: what is wrong with the expectation files of the cases, and, beside folders given whole in `paths`, files that no scenario owns.
std::vector<std::string> lint_expectations(std::span<const Case> cases, const std::vector<std::string>& law_ids,
                                           std::span<const std::string> paths);

}  // namespace reloadlab::sim
