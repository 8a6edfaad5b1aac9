#include "sim/campaign/collector.h"

#include <fmt/format.h>

#include <algorithm>

namespace reloadlab::sim {
namespace {

// Adds what the repeats say: a law of its own, so that laws keep what they found.
void compare_repeats(Answer& first, std::span<const Answer> others) {
  LawResult law{.law = std::string(kSameAgain), .checks = static_cast<int64_t>(others.size())};
  for (size_t i = 0; i < others.size() && law.state == State::pass; ++i) {
    const std::string at = first_difference(first, others[i]);
    if (at.empty()) continue;
    law.state = State::flaky;
    law.reason = fmt::format("run {} of {} first differs from run 1 at {}", i + 2, others.size() + 1, at);
  }
  auto have = std::find_if(first.result.laws.begin(), first.result.laws.end(), [](const LawResult& one) { return one.law == kSameAgain; });
  if (have == first.result.laws.end())
    first.result.laws.push_back(std::move(law));
  else if (have->state == State::pass)
    *have = std::move(law);
}

}  // namespace

std::optional<Answer> Collector::next() {
  const size_t begin = released_ * repeat_;
  for (size_t i = begin; i < begin + repeat_; ++i)
    if (!waiting_.contains(i)) return std::nullopt;
  Answer first = std::move(waiting_.at(begin));
  std::vector<Answer> others;
  for (size_t i = begin + 1; i < begin + repeat_; ++i) {
    first.result.seconds += waiting_.at(i).result.seconds;
    others.push_back(std::move(waiting_.at(i)));
  }
  waiting_.erase(waiting_.begin(), waiting_.lower_bound(begin + repeat_));
  ++released_;
  if (!others.empty() && first.result.end == End::judged) compare_repeats(first, others);
  return first;
}

}  // namespace reloadlab::sim
