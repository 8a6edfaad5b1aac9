#pragma once
// Runs jobs, one after the other in this process or side by side in workers. Answers come in any order.
#include <functional>
#include <memory>
#include <span>

#include "sim/campaign/attempt.h"

namespace reloadlab::sim {

class Runner {
 public:
  // The answer to jobs[index]; false: start no more, what is under way is dropped.
  using OnAnswer = std::function<bool(size_t index, Answer answer)>;
  // Asked before each job starts; a reason not to makes it skipped.
  using WhyNot = std::function<std::string(const Job&)>;

  virtual ~Runner() = default;
  // May be called again: workers that are at rest serve the next jobs, too.
  virtual Status run(std::span<const Job> jobs, const WhyNot& why_not, const OnAnswer& on_answer) = 0;
};

std::unique_ptr<Runner> run_here(const Engine& engine, EngineOptions options);

struct WorkerOptions {
  std::vector<std::string> command;  // the program and the arguments that make it a worker
  int workers = 1;
  bool judge_here = true;       // workers send evidence, which is checked; otherwise they judge and are believed
  bool fresh_for_each = false;  // a worker serves one job
  double silence_seconds = 60;  // without a step beginning: the candidate hangs
  std::string log;              // what workers print; empty: nowhere
};
std::unique_ptr<Runner> run_in_workers(const Engine& engine, WorkerOptions options);

}  // namespace reloadlab::sim
