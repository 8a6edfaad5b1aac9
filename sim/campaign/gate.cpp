#include "sim/campaign/gate.h"

#include <fmt/format.h>

#include "sim/report/console.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

std::string again_line(const GateOptions& options, const CaseResult& one) {
  return fmt::format("  again  {} run {} --name {} --candidate {}\n", options.program, shell_word(one.file), shell_word(one.id()),
                     shell_word(one.candidate));
}

}  // namespace

Gate::Gate(Engine engine, GateOptions options)
    : engine_(std::move(engine)), options_(std::move(options)), runner_(run_in_workers(engine_, options_.workers)) {}

Result<std::vector<size_t>> Gate::add(const std::string& path) {
  Selection selection = options_.selection;
  selection.paths = {path};
  RELOADLAB_ASSIGN(const Selected selected, select_cases(selection, engine_));
  RELOADLAB_ASSIGN(const std::vector<Job> jobs, select_jobs(selection, selected.cases, engine_));
  RELOADLAB_ASSIGN(const auto book, book_of(selected.all));
  std::vector<size_t> numbers;
  for (const Job& job : jobs) {
    numbers.push_back(jobs_.size());
    jobs_.push_back({job, book});
  }
  return numbers;
}

Result<std::shared_ptr<const ExpectationBook>> Gate::book_of(const std::vector<Case>& cases) const {
  if (!options_.expectations) return std::shared_ptr<const ExpectationBook>();
  const Circumstances circumstances{.facts = engine_.facts ? engine_.facts() : Facts(), .today = options_.today};
  RELOADLAB_ASSIGN(ExpectationBook book, ExpectationBook::open(cases, judged_law_ids(engine_), circumstances));
  return std::shared_ptr<const ExpectationBook>(std::make_shared<ExpectationBook>(std::move(book)));
}

Result<Played> Gate::play(size_t number) {
  const Entry& entry = jobs_.at(number);
  RunResult run{.seed = options_.selection.seed, .laws = judged_laws(engine_)};
  const auto take = [&](size_t, Answer answer) {
    run.cases.push_back(std::move(answer.result));
    return true;
  };
  RELOADLAB_TRY(runner_->run(
      {&entry.job, 1}, [&](const Job& job) { return engine_.lacks(job.the_case); }, take));
  if (entry.book) entry.book->apply(run.cases.at(0));
  return Played{run.cases[0], exit_code(run), text_of(run)};
}

std::string Gate::text_of(const RunResult& run) const {
  const std::string text = attention_blocks(run.cases[0], run);
  return text.empty() ? text : text + again_line(options_, run.cases[0]);
}

}  // namespace reloadlab::sim
