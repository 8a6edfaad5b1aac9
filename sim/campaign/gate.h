#pragma once
// One case at a time, for whoever has a test runner of their own: what `run` plays and judges, in an order that somebody else decides.
// A worker process stays from one case to the next, and no files are left.
#include <deque>

#include "sim/campaign/expectation_book.h"
#include "sim/campaign/runner.h"
#include "sim/campaign/select.h"

namespace reloadlab::sim {

struct GateOptions {
  Selection selection;  // paths are given to add()
  bool expectations = true;
  std::string today;                  // "2026-11-29": what quarantines are held against
  std::string program = "reloadlab";  // for lines to paste
  WorkerOptions workers;
};

// What a case came to. `text` is what `run` prints of it: empty where all is well.
struct Played {
  CaseResult result;
  Exit code = Exit::held;
  std::string text;
};

class Gate {
 public:
  Gate(Engine engine, GateOptions options);

  // Takes in a file or folder, and says which jobs it has come to: numbers for job() and play(). None: the candidates are of other systems.
  // Errors: as of select_cases(), select_jobs() and ExpectationBook::open().
  Result<std::vector<size_t>> add(const std::string& path);
  const Job& job(size_t number) const { return jobs_.at(number).job; }
  // May be called for the same one again. Status: workers do not come up.
  Result<Played> play(size_t number);

 private:
  struct Entry {
    Job job;
    std::shared_ptr<const ExpectationBook> book;  // null: nothing is expected
  };
  Result<std::shared_ptr<const ExpectationBook>> book_of(const std::vector<Case>& cases) const;
  std::string text_of(const RunResult& run) const;

  const Engine engine_;
  const GateOptions options_;
  const std::unique_ptr<Runner> runner_;
  std::deque<Entry> jobs_;
};

}  // namespace reloadlab::sim
