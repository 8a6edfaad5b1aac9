#include "sim/campaign/collector.h"

#include <fmt/format.h>

#include <algorithm>

namespace reloadlab::sim {
namespace {

const LawResult* law_in(const Answer& answer, const std::string& law) {
  const auto found = std::ranges::find(answer.result.laws, law, &LawResult::law);
  return found == answer.result.laws.end() ? nullptr : &*found;
}

bool failed(State state) { return state == State::fail || state == State::hang; }

// A law that fails in some runs and not in others: the evidence is of the first run in which it did.
void find_flaky(LawResult& law, std::span<const Answer> runs) {
  const LawResult* evidence = nullptr;
  size_t failures = 0, first = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    const LawResult* there = law_in(runs[i], law.law);
    if (!there || !failed(there->state)) continue;
    if (failures++ == 0) evidence = there, first = i + 1;
  }
  if (failures == 0 || failures == runs.size()) return;
  LawResult flaky = *evidence;
  flaky.state = State::flaky;
  flaky.reason = fmt::format("fails in {} of {} runs of this seed, first in run {}", failures, runs.size(), first);
  law = std::move(flaky);
}

// What the repeats say of seeds: a law of its own, so that laws keep what they found.
LawResult same_in_all(std::span<const Answer> runs) {
  LawResult law{.law = std::string(kSameAgain), .checks = static_cast<int64_t>(runs.size()) - 1};
  for (size_t i = 1; i < runs.size() && law.state == State::pass; ++i) {
    const std::string at = first_difference(runs[0], runs[i]);
    if (at.empty()) continue;
    law.state = State::flaky;
    law.reason = fmt::format("run {} of {} first differs from run 1 at {}", i + 1, runs.size(), at);
  }
  return law;
}

// One that the harness broke in says more than any other; the rest are what the first one is.
Answer compared(const std::vector<Answer>& runs) {
  const auto broken = std::ranges::find(runs, End::defect, [](const Answer& run) { return run.result.end; });
  Answer answer = broken == runs.end() ? runs.front() : *broken;
  if (answer.result.end != End::judged || runs.size() == 1) return answer;
  // A run that was cut short has no other law than that its candidate comes back; another has them all.
  for (const Answer& run : runs)
    for (const LawResult& law : run.result.laws)
      if (!law_in(answer, law.law)) answer.result.laws.push_back(law);
  for (LawResult& law : answer.result.laws) find_flaky(law, runs);
  LawResult same = same_in_all(runs);
  const auto have = std::ranges::find(answer.result.laws, kSameAgain, &LawResult::law);
  if (have == answer.result.laws.end())
    answer.result.laws.push_back(std::move(same));
  else if (have->state == State::pass)
    *have = std::move(same);
  return answer;
}

}  // namespace

std::optional<Answer> Collector::next() {
  const size_t begin = released_ * repeat_;
  for (size_t i = begin; i < begin + repeat_; ++i)
    if (!waiting_.contains(i)) return std::nullopt;
  std::vector<Answer> runs;
  double seconds = 0;
  for (size_t i = begin; i < begin + repeat_; ++i) {
    seconds += waiting_.at(i).result.seconds;
    runs.push_back(std::move(waiting_.at(i)));
  }
  waiting_.erase(waiting_.begin(), waiting_.lower_bound(begin + repeat_));
  ++released_;
  Answer answer = compared(runs);
  answer.result.seconds = seconds;
  return answer;
}

}  // namespace reloadlab::sim
