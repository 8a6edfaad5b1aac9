#pragma once
// The report for people: a block for each verdict that needs looking at, the table laws × scenarios, one closing line.
#include <string>

#include "sim/report/run_result.h"

namespace reloadlab::sim {

struct ConsoleStyle {
  bool colour = false;
};

// Every verdict of the case that needs attention, a line for each one in quarantine, and why the case did not run, when it did not. Empty
// when all is well.
//   folder: of the run, for the `again` line; seed: of the run.
std::string attention_blocks(const CaseResult& one, const RunResult& run, const ConsoleStyle& style = {});
// One table per candidate; rows are scenarios, columns laws, a cell says the worst that any case of the scenario came to.
std::string law_table(const RunResult& run, const ConsoleStyle& style = {});
std::string closing_line(const RunResult& run);
// All of it, as `run` prints it in the course of its work and `show` prints it at once.
std::string console_report(const RunResult& run, const ConsoleStyle& style = {});

}  // namespace reloadlab::sim
