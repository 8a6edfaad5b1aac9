#pragma once
// The expectation files of a campaign: read once per scenario, compared with what came out, rewritten on demand.
#include <array>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "sim/campaign/expectation.h"
#include "sim/report/run_result.h"

namespace reloadlab::sim {

// What a known race does to bytes is known by the race's rule, where a law of bytes that were read failed for it, and where it did so once
// and not again.
void excuse_by_race(const std::string& rule, LawResult& law);

// What holds for the whole run: which entries speak of it depends on that.
struct Circumstances {
  Facts facts;        // all that conditions are about but what cases say of themselves
  std::string today;  // "2026-11-29"; empty: no quarantine is over
};

class ExpectationBook {
 public:
  // Reads the file of every scenario among the cases. `cases` are all that the scenario files expand into, selected or not.
  static Result<ExpectationBook> open(std::span<const Case> cases, const std::vector<std::string>& law_ids,
                                      Circumstances circumstances = {});

  // Turns fail into known, pass into unexpected_pass and so on, where an entry says so.
  void apply(CaseResult& result) const;
  // Takes over what the result came to, whatever was expected. REQUIRES that apply() has not been called on it.
  void learn(const CaseResult& result);
  // Rewrites the files of the scenarios that learn() saw; a file with nothing to say is removed. Returns what was done, a line each,
  // and what is left to people: the place of every rule that is still `"?"`, and of every one whose failure has moved.
  Result<std::vector<std::string>> save();
  // A line for every rule that is still `"?"`, and for every quarantine that is over.
  std::vector<std::string> unexplained() const;
  std::vector<std::string> misnamed(const std::function<std::string(const std::string&)>& why_not) const;

  const ExpectationFile* file_of(const std::string& scenario_file) const;

 private:
  struct Page {
    std::filesystem::path path;  // empty: no file yet
    Case sample;                 // any case of the scenario: its system, about, file
    std::vector<std::string> variants;
    std::string text;  // of that file
    ExpectationFile file;
    bool learnt = false;
    std::set<std::array<std::string, 3>> moved;  // candidate, law, variant: other first evidence than before
  };
  void learn(const CaseResult& result, const LawResult& law, Page& page);
  Status save(Page& page, std::vector<std::string>& done);
  void ask(const Page& page, std::vector<std::string>& done) const;

  Facts facts_of(const CaseResult& result) const;

  Circumstances circumstances_;
  std::map<std::string, Page> pages_;  // by scenario file
  std::vector<std::string> law_order_;
};

// What an entry says about the finding.
Evidenced evidenced_by(const Finding& finding);

// For lint: what is wrong or left open in the expectation files of the cases, and, beside folders given whole in `paths`, files that no
// scenario owns. `why_not` says what is wrong with a candidate's name; empty: nothing.
std::vector<std::string> lint_expectations(std::span<const Case> cases, const std::vector<std::string>& law_ids,
                                           std::span<const std::string> paths, const std::string& today = {},
                                           const std::function<std::string(const std::string& candidate)>& why_not = {});

}  // namespace reloadlab::sim
