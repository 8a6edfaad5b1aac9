#pragma once
// Runs a program that is asked one thing and says it: what it printed, and how it ended.
#include <string>
#include <vector>

#include "reference/base/status.h"

namespace reloadlab::sim {

struct Spoken {
  int exit_code = -1;    // -1: a signal
  std::string end;       // "leaves with exit code 3", "is killed by signal 11 (SIGSEGV)", "does not come back within 10 s"
  std::string out, err;  // what it printed; of its errors what came after it was ready, where it was
};

// How long who is asked what a candidate is may take to say it: 10 seconds, or as many as RELOADLAB_ANSWER_SECONDS says. Code::usage: that
// is no number from 1 to 3600.
Result<int> answer_seconds();

// One that says "ready" on a line of its errors has answer_seconds() more; until then it has as long as a cold disk may take. What it
// started ends with it. Code::failed: it cannot be started. Code::usage: as of answer_seconds().
Result<Spoken> ask(const std::vector<std::string>& command);

std::string last_line(std::string text);

}  // namespace reloadlab::sim
