// fuzz --jobs: the campaign as several processes, each with a part of the cases. A candidate that brings its process down is a finding,
// whose case is known, and costs nothing else: another process goes on behind that case.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>

#include "reference/base/program.h"
#include "sim/campaign/worker_process.h"
#include "sim/cli/fuzz.h"
#include "sim/fuzz/generate.h"
#include "sim/fuzz/shrink.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

constexpr double silence_seconds = 60;
constexpr int turn_ms = 50;

struct Part {
  std::string shard;
  std::unique_ptr<WorkerProcess> process;  // null: it is done
  std::string log;
  uint64_t first = 0;
  bool done = false;
};

class Parts {
 public:
  Parts(const FuzzTexts& texts, const fuzz::HuntOptions& options, const Engine& apart, const fuzz::Stored& stored,
        const FuzzKeeping::Tell& tell)
      : texts_(texts),
        options_(options),
        apart_(apart),
        keeping_(texts.store, tell),
        known_(options.known),
        mended_(stored.mended_texts()) {
    keeping_.set_mended(mended_);
    tell_ = tell;
  }

  Result<fuzz::Summary> run() {
    const Shard whole = options_.shard.value_or(Shard{.index = 0, .count = 1, .said_by = ""});
    parts_.resize(static_cast<size_t>(texts_.jobs));
    for (size_t job = 0; job < parts_.size(); ++job) {
      Part& part = parts_[job];
      const int64_t first = whole.index + static_cast<int64_t>(whole.count) * static_cast<int64_t>(job);
      if (job > 0 && options_.cases && first >= *options_.cases) break;  // there is none for it
      part.shard = fmt::format("{}/{}", whole.index + whole.count * static_cast<int>(job) + 1, whole.count * texts_.jobs);
      RELOADLAB_TRY(start(part));
    }
    while (std::ranges::any_of(parts_, [](const Part& part) { return part.process != nullptr; })) {
      wait();
      for (Part& part : parts_)
        if (part.process) RELOADLAB_TRY(attend(part));
    }
    for (auto& [cause, found] : crashes_) RELOADLAB_TRY(make_small(found));
    return std::move(all_);
  }

 private:
  double since() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

  std::vector<std::string> words_of(const Part& part) const {
    std::vector<std::string> words = this_program();
    const auto add = [&](const char* name, std::string value) { words.insert(words.end(), {name, std::move(value)}); };
    words.emplace_back("fuzz");
    add("--system", options_.system), add("--candidate", options_.candidate), add("--seed", fmt::format("{}", options_.seed));
    if (options_.cases) add("--cases", fmt::format("{}", *options_.cases));
    if (options_.seconds) add("--for", fmt::format("{}s", std::max(*options_.seconds - since(), 0.0)));
    add("--shrink-tries", fmt::format("{}", options_.shrink_tries)), add("--store", texts_.store), add("--shard", part.shard);
    add("--first", fmt::format("{}", part.first));
    if (!options_.control.empty()) add("--control", options_.control);
    if (options_.on) add("--on", std::string(world_name(*options_.on)));
    if (options_.fail_fast) words.emplace_back("--fail-fast");
    words.emplace_back("--part");
    return words;
  }

  Status start(Part& part) {
    const std::filesystem::path logs = std::filesystem::path(texts_.store) / "logs";
    std::error_code error;
    std::filesystem::create_directories(logs, error);
    if (error) return Status(Code::failed, fmt::format("{}: {}", logs.string(), error.message()));
    part.log = logs / fmt::format("{}-{}.log", ::getpid(), &part - parts_.data() + 1);
    RELOADLAB_ASSIGN(part.process, WorkerProcess::start(words_of(part), part.log));
    // One looks for the canary, and goes on with what is not small yet: they all draw and judge alike.
    const bool canary = &part == &parts_.front() && part.first == 0;
    part.process->send(FrameKind::job, part_order(known_, options_.unfinished, mended_, canary));
    part.process->pump();
    return {};
  }

  void wait() {
    std::vector<pollfd> watched;
    for (const Part& part : parts_)
      if (part.process) watched.push_back(part.process->watched());
    ::poll(watched.data(), watched.size(), turn_ms);
  }

  Status attend(Part& part) {
    part.process->pump();
    for (;;) {
      RELOADLAB_ASSIGN(const std::optional<Frame> frame, part.process->next());
      if (!frame) break;
      RELOADLAB_TRY(take(part, *frame));
    }
    const bool silent = part.process->silent_seconds() > silence_seconds;
    if (!part.process->gone() && !silent) return {};
    const std::string how = part.process->end();
    const std::string trail = part.process->trail();
    part.process.reset();
    forget_empty(part.log);
    if (part.done) return {};
    return mourn(part, trail, silent ? "hang: nothing was heard of it, and it was ended" : how);
  }

  Status take(Part& part, const Frame& frame) {
    if (frame.kind == FrameKind::ready) part.done = true;
    if (frame.kind == FrameKind::summary) {
      RELOADLAB_ASSIGN(const fuzz::Summary more, fuzz::summary_from(frame.body));
      all_.add(more);
    }
    if (frame.kind != FrameKind::found) return {};
    const auto found = nlohmann::json::parse(frame.body, nullptr, false);
    if (!found.is_object()) return Status(Code::failed, "what a part of the campaign sent is no finding");
    const std::string cause = found["cause"];
    tell_once(cause, found["block"], found["token"]);
    return {};
  }

  // The parts may find the same.
  void tell_once(const std::string& cause, const std::string& block, const std::string& token) {
    if (told_.insert(cause).second) tell_({}, block, token);
  }

  // The case that the process was playing when it died.
  Status mourn(Part& part, const std::string& trail, const std::string& how) {
    uint64_t index = 0;
    const auto [end, error] = std::from_chars(trail.data(), trail.data() + trail.size(), index);
    if (error != std::errc())
      return Status(Code::failed,
                    fmt::format("a process of the campaign ended before its first case: {}{}", how, what_it_printed(part.log)));
    const std::string text(end + 1, static_cast<size_t>(trail.data() + trail.size() - end - 1));
    RELOADLAB_ASSIGN(const std::vector<Case> cases, fuzz::parse_drawn(text, "drawn.yaml"));
    fuzz::Choices choices(fuzz::seed_of(options_.seed, index));
    RELOADLAB_ASSIGN(const Case drawn, fuzz::generate(options_.system, choices, options_.on));
    fuzz::Found found{.the_case = cases.front(), .count = 1, .first = static_cast<int64_t>(index), .seconds = since(), .smallest = false};
    found.token = {options_.system, options_.candidate, drawn.world, emit(drawn) == text ? choices.answers() : fuzz::Answers()};
    RELOADLAB_TRY(keep(found, how));
    part.first = index + 1;
    if (options_.fail_fast || (options_.seconds && since() >= *options_.seconds)) return {};
    return start(part);
  }

  // By what it does when it is played alone: that is what whoever plays it again will see.
  Status keep(fuzz::Found& found, const std::string& how) {
    fuzz::Observation seen = fuzz::observe(found.the_case, options_.candidate, apart_);
    const auto same = [](const fuzz::Cause& cause) { return cause.law == kSurvives; };
    if (std::ranges::none_of(seen.causes, same)) seen = fuzz::lost(how + "; played by a process of its own it is not");
    found.cause = *std::ranges::find_if(seen.causes, same);
    found.law = *std::ranges::find(seen.failed, std::string(kSurvives), &LawResult::law);
    all_.add(fuzz::summary_of({.cases = 1, .judged = 1, .failing = 1, .hanging = seen.hangs ? 1 : 0}, {{found.cause, found}}));
    RELOADLAB_TRY(keeping_.keep(found));
    if (known_.insert(found.cause).second) crashes_.emplace(found.cause, found);
    return {};
  }

  // Each try that shows it costs a process.
  Status make_small(fuzz::Found& found) {
    constexpr int64_t tries_most = 40;
    if (!found.token.answers.empty()) {
      const auto shows = [&](const Case& smaller) { return fuzz::observe(smaller, options_.candidate, apart_).shows(found.cause); };
      const fuzz::ShrinkLimits limits{std::min(options_.shrink_tries, tries_most),
                                      [this] { return fuzz::shrinking_is_over(options_, since()); }};
      Result<fuzz::Shrunk> shrunk = fuzz::shrink(options_.system, found.token.answers, shows, limits, options_.on);
      if (!shrunk.ok()) return shrunk.status();
      found.token.answers = std::move(shrunk->answers);
      found.the_case = std::move(shrunk->the_case), found.smallest = shrunk->ended;
    }
    return keeping_.keep_smaller(found);
  }

  static std::string what_it_printed(const std::filesystem::path& log) {
    std::error_code none;
    return std::filesystem::exists(log, none) ? fmt::format("; what it printed is in {}", log.string()) : "";
  }

  static void forget_empty(const std::filesystem::path& log) {
    std::error_code ignored;
    if (!std::filesystem::is_empty(log, ignored) || ignored) return;
    std::filesystem::remove(log, ignored);
    std::filesystem::remove(log.parent_path(), ignored);  // where it was the last
  }

  const FuzzTexts& texts_;
  const fuzz::HuntOptions& options_;
  const Engine& apart_;
  FuzzKeeping::Tell tell_;
  FuzzKeeping keeping_;
  std::set<fuzz::Cause> known_;
  const std::set<std::string> mended_;
  std::set<std::string> told_;
  std::vector<Part> parts_;
  std::map<fuzz::Cause, fuzz::Found> crashes_;
  fuzz::Summary all_{.system = options_.system};
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace

Result<fuzz::Summary> fuzz_in_processes(const FuzzTexts& texts, const fuzz::HuntOptions& options, const Program& program,
                                        const fuzz::Stored& stored, const FuzzKeeping::Tell& tell) {
  RELOADLAB_ASSIGN(const Engine apart, engine_apart(program, options.candidate));
  return Parts(texts, options, apart, stored, tell).run();
}

}  // namespace reloadlab::sim
