#include "sim/campaign/attempt.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "reference/base/prng.h"
#include "sim/evidence/archive.h"
#include "sim/evidence/store.h"
#include "sim/law/probes.h"
#include "sim/report/json.h"
#include "sim/report/steps.h"

namespace reloadlab::sim {
namespace {

State state_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::pass:
      return State::pass;
    case Outcome::fail:
      return State::fail;
    case Outcome::inconclusive:
      return State::inconclusive;
    case Outcome::unsupported:
      return State::unsupported;
  }
  return State::inconclusive;
}

}  // namespace

LawResult law_result(Verdict verdict) {
  LawResult law{
      .law = std::move(verdict.law), .state = state_of(verdict.outcome), .reason = std::move(verdict.reason), .checks = verdict.checks};
  law.finding = std::move(verdict.finding);
  return law;
}

namespace {

void place_at(const Step& step, LawResult& law) {
  law.step_text = step_text(step);
  law.at = step.at;
}

void explain(const Evidence& evidence, LawResult& law) {
  if (!law.finding) return;
  if (const Step* step = finding_step(evidence, *law.finding)) place_at(*step, law);
  law.tail = last_events(evidence, *law.finding);
  law.finding->rank = evidence.number(static_cast<size_t>(law.finding->rank));  // from here on for readers
}

}  // namespace

std::vector<LawText> judged_laws(const Engine& engine) {
  std::vector<LawText> laws = engine.laws;
  laws.push_back({std::string(kSurvives), std::string(kSurvivesSentence)});
  laws.push_back({std::string(kSameAgain), std::string(kSameAgainSentence)});
  laws.push_back({std::string(kWithinBaseline), std::string(kWithinBaselineSentence)});
  return laws;
}

std::vector<std::string> judged_law_ids(const Engine& engine) {
  std::vector<std::string> ids = engine.law_ids();
  ids.emplace_back(kSurvives);
  ids.emplace_back(kSameAgain);
  return ids;
}

namespace {

// Of a rank that is gone there are no outcomes: the first such, and what it did last, is where the run ended.
void place(const Execution& execution, Finding& finding) {
  const auto gone = std::ranges::find_if(execution.ranks, [](const RankRun& run) { return run.outcomes.empty() && !run.events.empty(); });
  if (gone == execution.ranks.end()) return;
  finding.rank = static_cast<int>(gone - execution.ranks.begin());
  finding.step = gone->events.back().step;
}

// A rank that is gone says more than what became of the others.
void judge_end(const Execution& execution, LawResult& law) {
  const bool hangs = execution.stopped.starts_with("hang");
  if (law.finding || (!hangs && !execution.stopped.starts_with("lost"))) return;
  law.state = hangs ? State::hang : State::fail;
  law.finding = Finding{.law = law.law,
                        .execution = execution.variation.label(),
                        .step = execution.stopped_in,
                        .what = execution.stopped,
                        .why = fmt::format("{}", fmt::join(execution.waits, "; "))};
  place(execution, *law.finding);
}

void judge_outcome(const Execution& execution, size_t rank, const StepOutcome& outcome, LawResult& law) {
  ++law.checks;
  if (!outcome.crashed || law.finding) return;
  law.state = State::fail;
  law.finding = Finding{.law = law.law,
                        .execution = execution.variation.label(),
                        .rank = static_cast<int>(rank),
                        .step = outcome.step,
                        .what = "an exception crossed the boundary: " + outcome.status.message()};
}

}  // namespace

LawResult survives(const Evidence& evidence) {
  LawResult law{.law = std::string(kSurvives)};
  for (const Execution& execution : evidence.executions) judge_end(execution, law);
  for (const Execution& execution : evidence.executions)
    for (size_t rank = 0; rank < execution.ranks.size(); ++rank)
      for (const StepOutcome& outcome : execution.ranks[rank].outcomes) judge_outcome(execution, rank, outcome, law);
  return law;
}

namespace {

LawResult same_again(const std::string& difference, int64_t checks) {
  LawResult law{.law = std::string(kSameAgain), .checks = checks};
  if (difference.empty()) return law;
  law.state = State::flaky;
  law.reason = "two runs of this seed first differ at " + difference;
  return law;
}

std::string difference(const nlohmann::json& one, const nlohmann::json& other, const std::string& path) {
  if (one == other) return {};
  if (one.is_object() && other.is_object())
    for (const auto& [key, value] : one.items())
      if (!other.contains(key) || value != other[key]) return difference(value, other.value(key, nlohmann::json()), path + "/" + key);
  if (one.is_array() && other.is_array())
    for (size_t i = 0; i < one.size() && i < other.size(); ++i)
      if (one[i] != other[i]) return difference(one[i], other[i], fmt::format("{}/{}", path, i));
  return path.empty() ? path : path.substr(1);
}

// All executions of a hundred reloads are a hundred times what people look at: the warm one, and those that findings name.
std::string trace_of(const Job& job, const Evidence& evidence, const std::vector<LawResult>& laws) {
  std::string lines;
  for (const Execution& execution : evidence.executions) {
    const std::string label = execution.variation.label();
    const bool named =
        std::any_of(laws.begin(), laws.end(), [&](const LawResult& law) { return law.finding && law.finding->execution == label; });
    if (execution.variation.kind == Variation::Kind::warm || named) append_trace(lines, evidence, execution, job.the_case.id());
  }
  return lines;
}

class Print {
 public:
  void add(uint64_t value) { print_ = mix64(print_ ^ value); }
  void add(const Event& event) {
    for (const int64_t value :
         {static_cast<int64_t>(event.kind), int64_t{event.step}, int64_t{event.load}, int64_t{event.layer}, event.numel, event.value})
      add(static_cast<uint64_t>(value));
    add(hash_name(event.text));
  }
  uint64_t value() const { return print_; }

 private:
  uint64_t print_ = 0;
};

uint64_t print_of(const Evidence& evidence) {
  Print print;
  for (const Execution& execution : evidence.executions)
    for (const RankRun& rank : execution.ranks) {
      for (const Event& event : rank.events) print.add(event);
      for (const Census& census : rank.censuses)
        for (const CensusEntry& entry : census.entries) print.add(entry.content ? entry.content->fingerprint[0] : 0);
    }
  return print.value();
}

std::vector<Step> unrolled(const std::vector<Step>& steps) {
  std::vector<Step> flat;
  for (const Step& step : steps) {
    if (step.kind != StepKind::repeat) {
      flat.push_back(step);
      continue;
    }
    const std::vector<Step> body = unrolled(step.body);
    for (int64_t time = 0; time < step.times; ++time) flat.insert(flat.end(), body.begin(), body.end());
  }
  return flat;
}

// Memory ran out in the harness, not in the candidate, whose exceptions end at its boundary.
Answer too_large(const Job& job, const std::bad_alloc& error) {
  return unjudged(job, End::bad_data, fmt::format("the case is too large for this machine: {}", error.what()));
}

}  // namespace

CaseResult blank_result(const Job& job) {
  const Case& one = job.the_case;
  return {.scenario = one.scenario,
          .variant = one.variant,
          .file = one.file,
          .system = one.system,
          .candidate = job.candidate,
          .world = std::string(world_name(one.world)),
          .ranks = one.ranks,
          .tags = one.tags};
}

Answer unjudged(const Job& job, End end, std::string reason) {
  Answer answer{.result = blank_result(job)};
  answer.result.end = end;
  answer.result.reason = std::move(reason);
  return answer;
}

Answer lost(const Job& job, State state, const Finding& where) {
  Answer answer{.result = blank_result(job)};
  LawResult law{.law = std::string(kSurvives), .state = state, .finding = where, .checks = 1};
  const std::vector<Step> steps = unrolled(job.the_case.steps);
  if (where.step >= 0 && static_cast<size_t>(where.step) < steps.size()) place_at(steps[static_cast<size_t>(where.step)], law);
  law.finding->law = law.law;
  answer.result.laws.push_back(std::move(law));
  return answer;
}

Answer failed_replay(const Job& job, const Status& status, const Finding& where) {
  if (status.code() == Code::lost) {
    Finding finding = where;
    finding.what = status.message();
    return lost(job, status.message().starts_with("hang: ") ? State::hang : State::fail, finding);
  }
  const End end = status.code() == Code::unsupported ? End::skipped : status.code() == Code::data ? End::bad_data : End::defect;
  return unjudged(job, end, status.message());
}

bool spoils_its_process(const CaseResult& result) {
  const auto alive = std::ranges::find(result.laws, kSurvives, &LawResult::law);
  const bool survived = alive == result.laws.end() || (alive->state != State::fail && alive->state != State::hang);
  return result.end == End::defect || (result.world == world_name(WorldKind::cuda) && !survived);
}

Answer judge_evidence(const Job& job, const Evidence& evidence, const Engine& engine) try {
  Answer answer{.result = blank_result(job), .print = print_of(evidence)};
  for (Verdict& verdict : engine.judge(evidence)) {
    LawResult law = law_result(std::move(verdict));
    explain(evidence, law);
    answer.result.laws.push_back(std::move(law));
  }
  LawResult alive = survives(evidence);
  explain(evidence, alive);
  answer.result.laws.push_back(std::move(alive));
  const Execution* warm = evidence.find(Variation::Kind::warm);
  const Execution* again = evidence.find(Variation::Kind::again);
  if (warm && again) answer.result.laws.push_back(same_again(first_difference(*warm, *again), 1));
  if (job.describe) answer.behaviour = behaviour_of(evidence);
  answer.result.probes = probes_met(evidence);
  answer.result.costs = costs_of(evidence);
  answer.trace = trace_of(job, evidence, answer.result.laws);
  return answer;
} catch (const std::bad_alloc& error) {
  return too_large(job, error);
} catch (const std::exception& error) {
  return unjudged(job, End::defect, fmt::format("while judging: {}", error.what()));
}

Answer attempt(const Job& job, const Engine& engine, const EngineOptions& options) try {
  EngineOptions mine = options;
  mine.prove_determinism = job.prove_determinism;
  Finding where{.execution = "warm"};
  mine.on_step = [&](const Variation& variation, int rank, int step) {
    where.execution = variation.label(), where.rank = rank, where.step = step;
    if (options.on_step) options.on_step(variation, rank, step);
  };
  auto evidence = engine.replay(job.the_case, job.candidate, mine);
  return evidence.ok() ? judge_evidence(job, *evidence, engine) : failed_replay(job, evidence.status(), where);
} catch (const std::bad_alloc& error) {
  return too_large(job, error);
} catch (const std::exception& error) {
  return unjudged(job, End::defect, error.what());
}

std::string first_difference(const Execution& one, const Execution& other) {
  archive::Writer mine, theirs;
  // Blobs are numbered in the order in which they are met, so their contents have to be compared as well.
  const auto left = mine.put(one.ranks), right = theirs.put(other.ranks);
  if (left != right) return difference(left, right, "/ranks");
  for (size_t i = 0; i < mine.blobs.size() && i < theirs.blobs.size(); ++i)
    if (mine.blobs[i]->bytes != theirs.blobs[i]->bytes) return fmt::format("contents {}", i);
  return mine.blobs.size() == theirs.blobs.size() ? "" : "the number of contents";
}

std::string first_difference(const Answer& one, const Answer& other) {
  const auto as_json = [](const Answer& answer) {
    CaseResult result = answer.result;
    if (result.world == world_name(WorldKind::cuda)) result.costs.reset();  // real devices decide for themselves when memory is given back
    return nlohmann::json::parse(result_to_json(result).dump());
  };
  if (const std::string at = difference(as_json(one), as_json(other), ""); !at.empty()) return at;
  if (one.trace == other.trace) return one.print == other.print ? "" : "an execution beyond the warm one";
  const auto at = std::mismatch(one.trace.begin(), one.trace.end(), other.trace.begin(), other.trace.end()).first;
  return fmt::format("line {} of the trace", 1 + std::count(one.trace.begin(), at, '\n'));
}

}  // namespace reloadlab::sim
