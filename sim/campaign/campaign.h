#pragma once
// One run from scenario files to reports: select · attempt each case with each candidate · compare with expectations · report.
#include <cstdio>
#include <filesystem>

#include "sim/campaign/runner.h"
#include "sim/campaign/select.h"
#include "sim/report/baseline.h"

namespace reloadlab::sim {

enum class Isolation {
  none,      // candidates run in this process; with several jobs, in workers that are believed
  workers,   // in workers that serve many cases and are not believed
  per_case,  // a new worker for each case
};

struct CampaignOptions {
  Selection selection;
  int jobs = 1;
  Isolation isolation = Isolation::none;
  std::optional<double> seconds;  // start nothing after so long
  bool fail_fast = false;
  bool expectations = true;
  bool update_expectations = false;
  std::string today;  // "2026-11-29": what quarantines are held against
  int repeat = 1;
  std::optional<BaselineOptions> baseline;          // an earlier run, of which no case may cost more
  bool quiet = false;                               // say nothing of verdicts: whoever asked for the run has its own words
  std::function<void(const Answer&)> on_behaviour;  // set: answers say what was done, and each is told as it is known
  bool sarif = false;                               // leave result.sarif, too
  bool github = false;                              // whoever prints the result prints annotations, too
  std::filesystem::path out = "out";
  std::string program = "reloadlab";        // for lines to paste
  std::vector<std::string> worker_command;  // what makes a worker process
  double silence_seconds = 60;
  bool plays_elsewhere = false;  // the engine has other processes play whatever it is: none are needed for that
};

// Where people read: stderr, as a rule.
struct Screen {
  std::FILE* out = nullptr;
  bool terminal = false;
};

// Runs all of it, leaves the files, and returns the result; its exit_code() is the program's. Code::usage, Code::data: nothing ran.
// Where no case is left to run it says which there are, and leaves no folder.
Result<RunResult> run_campaign(const CampaignOptions& options, const Engine& engine, const Screen& screen);

}  // namespace reloadlab::sim
