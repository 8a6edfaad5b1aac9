#include "sim/campaign/campaign.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <set>

#include "sim/campaign/collector.h"
#include "sim/campaign/expectation_book.h"
#include "sim/campaign/gpu_memory.h"
#include "sim/candidate/python.h"
#include "sim/report/console.h"
#include "sim/report/progress.h"
#include "sim/report/run_folder.h"
#include "sim/report/text.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

using Clock = std::chrono::steady_clock;

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

std::string run_name(const Selection& selection) {
  if (selection.paths.size() != 1) return "run";
  const auto path = std::filesystem::path(selection.paths[0]).lexically_normal();
  const std::string name = path.has_filename() ? path.stem().string() : path.parent_path().stem().string();
  return name.empty() || name == "." || name == ".." ? "run" : name;
}

// What a failure needs to come to the same again. A crash ends the process that it happens in, so whatever ran in workers runs in one
// again; without isolation, several jobs are workers too.
std::string options_text(const CampaignOptions& options) {
  std::vector<std::string> words;
  const bool workers = options.isolation != Isolation::none || options.jobs > 1;
  if (!workers && std::ranges::any_of(options.selection.candidates, is_foreign)) words.emplace_back("--isolate=none");
  if (workers) words.emplace_back(options.isolation == Isolation::per_case ? "--isolate=case" : "--isolate");
  if (workers && options.silence_seconds != CampaignOptions().silence_seconds)
    words.push_back(fmt::format("--hang-after {}s", options.silence_seconds));
  if (options.baseline) words.push_back("--baseline " + shell_word(options.baseline->file.string()));
  if (options.baseline)
    for (const auto& [there, here] : options.baseline->stands_for)
      words.push_back(fmt::format("--baseline-candidate {}", shell_word(there + "=" + here)));
  if (options.repeat > 1) words.push_back(fmt::format("--repeat {}", options.repeat));
  return fmt::format("{}", fmt::join(words, " "));
}

// What the run holds on to while answers come in.
class Campaign {
 public:
  Campaign(const CampaignOptions& options, const Engine& engine, const Screen& screen)
      : options_(options), engine_(engine), screen_(screen), begin_(Clock::now()), collector_(options.repeat) {}

  Result<RunResult> run() {
    RELOADLAB_TRY(prepare());
    if (jobs_.empty()) return std::move(result_);
    Progress progress(screen_.out, static_cast<int64_t>(jobs_.size()), screen_.terminal);
    progress_ = &progress;
    const auto on_answer = [&](size_t index, Answer answer) {
      collector_.add(index, std::move(answer));
      while (auto next = collector_.next()) take(*std::move(next));
      return problem_.ok() && !stopped_;
    };
    const GpuMemory memory(drives_gpus() ? engine_.gpu_memory : nullptr);
    RELOADLAB_TRY(make_runner()->run(
        expanded(), [&](const Job& job) { return why_not(job); }, on_answer));
    if (engine_.dismiss) engine_.dismiss();
    result_.run.left_on_gpus = memory.left();
    RELOADLAB_TRY(problem_);
    while (result_.cases.size() < jobs_.size())
      take(unjudged(jobs_[result_.cases.size()], End::skipped, "not run: --fail-fast stopped the run before it"));
    progress_ = nullptr;
    RELOADLAB_TRY(problem_);
    return finish();
  }

 private:
  Status prepare() {
    RELOADLAB_ASSIGN(Selected selected, select_cases(options_.selection, engine_));
    RELOADLAB_ASSIGN(jobs_, select_jobs(options_.selection, selected.cases, engine_));
    for (Job& job : jobs_) job.describe = options_.on_behaviour != nullptr;
    if (jobs_.empty()) {
      print(fmt::format("nothing ran: {}\n", why_no_case(options_.selection, selected)));
      return {};
    }
    if (options_.expectations) {
      RELOADLAB_ASSIGN(book_, ExpectationBook::open(selected.all, judged_law_ids(engine_), circumstances()));
    }
    if (options_.baseline) {
      RELOADLAB_ASSIGN(baseline_, Baseline::open(*options_.baseline, options_.selection.seed, candidates_here()));
    }
    result_.name = run_name(options_.selection);
    result_.seed = options_.selection.seed;
    result_.run = {
        .started = utc_now(), .host = host_name(), .jobs = options_.jobs, .program = options_.program, .options = options_text(options_)};
    if (const auto& shard = options_.selection.shard)
      result_.run.shard = fmt::format("{} of {} ({})", shard->index + 1, shard->count, shard->said_by);
    RELOADLAB_ASSIGN(folder_, RunFolder::open(options_.out, result_.name, result_.run.started));
    result_.run.folder = folder_->path().string();
    result_.laws = judged_laws(engine_);
    return {};
  }

  Circumstances circumstances() const { return {.facts = engine_.facts ? engine_.facts() : Facts(), .today = options_.today}; }

  std::vector<std::string> candidates_here() const {
    std::set<std::string> names;
    for (const Job& job : jobs_) names.insert(job.candidate);
    return {names.begin(), names.end()};
  }

  std::unique_ptr<Runner> make_runner() const {
    const bool here = options_.isolation == Isolation::none && options_.jobs == 1 && !drives_gpus();
    if (here || options_.plays_elsewhere)
      return run_here(engine_, {.silence_seconds = options_.silence_seconds, .log = folder_->log().string()});
    return run_in_workers(engine_, {.command = options_.worker_command,
                                    .workers = options_.jobs,
                                    .judge_here = options_.isolation != Isolation::none,
                                    .fresh_for_each = options_.isolation == Isolation::per_case,
                                    .silence_seconds = options_.silence_seconds,
                                    .log = folder_->log().string()});
  }

  // Not from this process: what a candidate does to a GPU's context is done to all of the process that has it.
  bool drives_gpus() const {
    return std::ranges::any_of(jobs_, [](const Job& job) { return job.the_case.world == WorldKind::cuda; });
  }

  const std::vector<Job>& expanded() {
    if (options_.repeat == 1) return jobs_;
    for (const Job& job : jobs_) repeated_.insert(repeated_.end(), static_cast<size_t>(options_.repeat), job);
    return repeated_;
  }

  std::string why_not(const Job& job) const {
    const double spent = std::chrono::duration<double>(Clock::now() - begin_).count();
    return options_.seconds && spent >= *options_.seconds ? fmt::format("not run: {} s were over (--for)", *options_.seconds)
                                                          : engine_.lacks(job.the_case);
  }

  // A case is through: expectations, files, screen.
  void take(Answer answer) {
    const Job& job = jobs_[result_.cases.size()];
    if (options_.on_behaviour) options_.on_behaviour(answer);
    CaseResult& one = result_.cases.emplace_back(std::move(answer.result));
    if (options_.update_expectations)
      book_->learn(one);
    else
      conclude(one, job);
    keep(folder_->append_trace(answer.trace));
    if (progress_) progress_->advance(static_cast<int64_t>(result_.cases.size()), fmt::format("{} {}", one.candidate, one.id()));
  }

  void conclude(CaseResult& one, const Job& job) {
    if (book_) book_->apply(one);
    if (baseline_) baseline_->judge(one);
    const bool attention = std::any_of(one.laws.begin(), one.laws.end(), [](const LawResult& law) { return needs_attention(law.state); });
    if (attention) {
      const Case own = alone(job.the_case);
      auto name = folder_->add_failing(own.scenario, emit(own));
      if (name.ok()) one.failing = *name;
      keep(name.status());
    }
    stopped_ |= options_.fail_fast && std::any_of(one.laws.begin(), one.laws.end(), [](const LawResult& law) {
                  return law.state == State::fail || law.state == State::hang;
                });
    if (options_.quiet) return;
    if (!stopped_ || attention || one.end == End::bad_data || one.end == End::defect) print(attention_blocks(one, result_, style()));
  }

  Result<RunResult> finish() {
    if (options_.update_expectations) {
      RELOADLAB_ASSIGN(const auto done, book_->save());
      for (size_t i = 0; i < jobs_.size(); ++i) conclude(result_.cases[i], jobs_[i]);
      for (const std::string& line : done) print(line + "\n");
    }
    drop_unused_columns();
    if (baseline_) result_.baseline = baseline_->report(!options_.selection.shard);
    result_.run.seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    RELOADLAB_TRY(folder_->commit(result_, options_.sarif));
    if (options_.quiet) return std::move(result_);
    print(law_table(result_, style()) + closing_line(result_) + (result_.baseline ? baseline_text(*result_.baseline) : "") +
          left_text(result_.run.left_on_gpus));
    return std::move(result_);
  }

  // A law that nobody asked about and that was judged nowhere says nothing.
  void drop_unused_columns() {
    std::erase_if(result_.laws, [&](const LawText& law) {
      return std::none_of(result_.cases.begin(), result_.cases.end(), [&](const CaseResult& one) {
        return std::any_of(one.laws.begin(), one.laws.end(), [&](const LawResult& have) { return have.law == law.id; });
      });
    });
  }

  ConsoleStyle style() const { return {.colour = screen_.terminal}; }
  void print(const std::string& text) const {
    if (text.empty()) return;
    if (progress_) return progress_->print(text);
    fmt::print(screen_.out, "{}", text);
  }
  void keep(const Status& status) {
    if (problem_.ok()) problem_ = status;
  }

  const CampaignOptions& options_;
  const Engine& engine_;
  const Screen screen_;
  const Clock::time_point begin_;
  std::vector<Job> jobs_, repeated_;
  std::optional<ExpectationBook> book_;
  std::optional<Baseline> baseline_;
  std::unique_ptr<RunFolder> folder_;
  Collector collector_;
  RunResult result_;
  Progress* progress_ = nullptr;
  Status problem_;
  bool stopped_ = false;
};

}  // namespace

Result<RunResult> run_campaign(const CampaignOptions& options, const Engine& engine, const Screen& screen) {
  return Campaign(options, engine, screen).run();
}

}  // namespace reloadlab::sim
