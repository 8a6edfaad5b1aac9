#include "tests/sim/campaign/fake_engine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include "reference/base/nearest.h"
#include "sim/campaign/worker.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

constexpr std::string_view kNames[] = {"fake@good",    "fake@bad",      "fake@moving",     "fake@unsure", "fake@throws", "fake@unlike",
                                       "fake@crash",   "fake@abort",    "fake@exit",       "fake@loop",   "fake@lies",   "fake@nonsense",
                                       "fake@no_data", "fake@not_here", "fake@broken",     "fake@hidden", "fake@drawn",  "fake@one_dies",
                                       "fake@named",   "fake@lost",     "fake@spoils",     "fake@forks",  "fake@meets",  "fake@refuses",
                                       "fake@flaky",   "fake@costly",   "fake@breaks_once"};

Result<EngineCandidate> find(const std::string& spelling) {
  for (const std::string_view name : kNames)
    if (name == spelling) return EngineCandidate{spelling, "layerwise"};
  return Status(Code::usage, fmt::format("no candidate is called \"{}\"{}", spelling, did_you_mean(spelling, kNames)));
}

void misbehave(const std::string& candidate) {
  if (candidate == "fake@crash") std::raise(SIGSEGV);
  if (candidate == "fake@abort") std::abort();
  if (candidate == "fake@exit") std::_Exit(3);
  if (candidate == "fake@nonsense" && ::write(kWorkerSocket, "nonsense, nonsense", 18) < 0) std::abort();
  if (candidate == "fake@loop")
    for (;;) ::pause();
}

pid_t child_of_one_that_waits() {
  const pid_t child = ::fork();
  if (child != 0) return child;
  for (;;) ::pause();
}

bool is_alone_for_a_while() {
  const int program = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  const bool alone = ::flock(program, LOCK_EX | LOCK_NB) == 0;
  ::usleep(30'000);
  ::close(program);
  return alone;
}

Execution run_of(const Case& the_case, const std::string& candidate, Variation::Kind kind, const EngineOptions& options) {
  const int first = options.seat ? options.seat->rank : 0, end = options.seat ? first + 1 : the_case.ranks;
  Execution execution{
      .variation = {.kind = kind}, .steps = the_case.steps, .ranks = std::vector<RankRun>(static_cast<size_t>(end - first))};
  static int64_t serial = 0;
  for (int step = 0; step < static_cast<int>(the_case.steps.size()); ++step)
    for (int rank = first; rank < end; ++rank) {
      if (options.on_step) options.on_step(execution.variation, rank, step);
      if (step == 1) misbehave(candidate);
      if (step == 1 && rank == 1 && candidate == "fake@one_dies") misbehave("fake@crash");
      RankRun& run = execution.ranks[static_cast<size_t>(rank - first)];
      run.events.push_back({.kind = EventKind::load_begin, .step = step, .layer = 0, .text = "up.weight"});
      run.events.push_back(
          {.kind = EventKind::load_counted, .step = step, .layer = 0, .numel = candidate == "fake@unlike" ? ++serial : 24});
      if (candidate == "fake@named") run.events.back().value = ::getpid();
      if (candidate == "fake@forks") run.events.back().value = child_of_one_that_waits();
      if (options.on_event)
        for (size_t i = run.events.size() - 2; i < run.events.size(); ++i) options.on_event(execution.variation, rank, run.events[i]);
      if (candidate == "fake@forks" && step == 1 && rank == 1) misbehave("fake@crash");
      StepOutcome outcome{.step = step, .copies = candidate == "fake@costly" ? 3 : 2};
      if (candidate == "fake@throws" && step == 1) outcome.crashed = true, outcome.status = Status(Code::failed, "boom");
      if (candidate == "fake@refuses" && step == 1) outcome.status = Status(Code::failed, "not now");
      run.outcomes.push_back(outcome);
    }
  return execution;
}

Result<Evidence> replay(const Case& the_case, const std::string& candidate, const EngineOptions& options) {
  if (candidate == "fake@no_data") return Status(Code::data, "model.safetensors: cannot be read");
  if (candidate == "fake@not_here") return Status(Code::unsupported, "no such world here");
  if (candidate == "fake@spoils") {
    run_of(the_case, candidate, Variation::Kind::warm, options);
    return Status(Code::lost, "the device is gone");
  }
  if (candidate == "fake@meets" && !is_alone_for_a_while()) return Status(Code::failed, "others meet");
  static bool lost = false;  // as a GPU's context is lost, for all that comes next in this process
  lost |= candidate == "fake@lost";
  if (lost) throw std::runtime_error("the context is lost");
  static int breaks = 0;
  if (candidate == "fake@breaks_once" && ++breaks == 2) throw std::runtime_error("the harness slipped once");
  if (candidate == "fake@broken") throw std::runtime_error("the harness slipped");
  Evidence evidence{.the_case = the_case, .candidate = candidate, .layers = {"up"}};
  evidence.plan.resize(static_cast<size_t>((options.seat ? 1 : the_case.ranks) + (candidate == "fake@lies")));
  if (options.seat) evidence.numbers = {options.seat->rank};
  evidence.executions.push_back(run_of(the_case, candidate, Variation::Kind::warm, options));
  if (options.prove_determinism) evidence.executions.push_back(run_of(the_case, candidate, Variation::Kind::again, options));
  if (candidate == "fake@hidden") evidence.executions.push_back(run_of(the_case, "fake@unlike", Variation::Kind::cold, options));
  return evidence;
}

std::vector<Verdict> judge(const Evidence& evidence) {
  Verdict a{.law = "law_a", .checks = 2}, b{.law = "law_b", .checks = 2};
  static int judged = 0;
  if (evidence.candidate == "fake@flaky" && ++judged % 3 == 2) {
    a.outcome = Outcome::fail;
    a.finding = Finding{.law = "law_a", .execution = "warm", .rank = 0, .step = 1, .tensor = "up.weight", .what = "differs"};
  }
  if (evidence.candidate == "fake@bad" || evidence.candidate == "fake@moving") {
    a.outcome = Outcome::fail;
    a.finding = Finding{
        .law = "law_a", .execution = "warm", .rank = 0, .step = evidence.candidate == "fake@bad", .tensor = "up.weight", .what = "differs"};
  }
  if (evidence.candidate == "fake@drawn") {
    const std::string execution = fmt::format("fault loader {}", evidence.the_case.seed);
    a.outcome = Outcome::fail;
    a.finding = Finding{.law = "law_a", .execution = execution, .rank = 0, .step = 1, .tensor = "up.weight", .what = "differs"};
  }
  if (evidence.candidate == "fake@unsure") b.outcome = Outcome::inconclusive, b.reason = "nothing compared";
  return {a, b};
}

}  // namespace

std::unique_ptr<MeetingPlace> no_place() {
  struct NoPlace final : MeetingPlace {
    int port() const override { return 1; }
  };
  return std::make_unique<NoPlace>();
}

Engine fake_engine() {
  return {.candidate = find,
          .default_candidates =
              [](const std::string&) {
                return std::vector<std::string>{"fake@good", "fake@bad"};
              },
          .candidate_names = [] { return std::vector<std::string>(std::begin(kNames), std::end(kNames)); },
          .replay = replay,
          .lacks = [](const Case& one) { return one.needs.gpus > 0 ? std::string("needs a GPU") : std::string(); },
          .judge = judge,
          .laws = {{"law_a", "A holds."}, {"law_b", "B holds."}}};
}

double silence_seconds(const std::string& candidate) { return candidate == "fake@loop" ? 6 : 60; }

std::string small_scenario(const std::string& name, const std::string& about, const std::string& tag) {
  return fmt::format(
      "reloadlab: 1\nscenario: {}\nabout: {}\nsystem: layerwise\ntags: [{}]\nworld: {{kind: cpu, ranks: [1, 2]}}\n"
      "model:\n  dtype: f32\n  layers:\n    - {{name: up, kind: column_parallel_linear, in: 4, out: 6}}\n"
      "checkpoints: {{A: {{synthetic: 1}}, B: {{synthetic: 2}}}}\nsteps:\n  - load: A\n  - reload: B\n",
      name, about, tag);
}

}  // namespace reloadlab::tests
