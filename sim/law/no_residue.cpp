#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <sstream>

#include "sim/evidence/enums.h"
#include "sim/law/laws.h"
#include "sim/law/reading.h"

namespace reloadlab::sim {
namespace {

using Kind = CensusEntry::Kind;

bool is_extra(const CensusEntry& entry) { return entry.kind == Kind::extra_tensor || entry.kind == Kind::extra_host; }

std::vector<const CensusEntry*> registered(const Census& census) {
  std::vector<const CensusEntry*> slots;
  for (const CensusEntry& entry : census.entries)
    if (!is_extra(entry)) slots.push_back(&entry);
  return slots;
}

std::string quoted(std::string_view text) { return fmt::format("\"{}\"", text); }

std::optional<std::string> residue(const CensusEntry& now, const CensusEntry& was) {
  if (now.on_meta && !was.on_meta) return "is on meta: a placeholder was left";
  if (now.kind != was.kind) return fmt::format("is registered as {}, was {}", archive::enum_name(now.kind), archive::enum_name(was.kind));
  if (now.loader != was.loader) return fmt::format("has loader {}, had {}", now.loader, was.loader);
  if (now.persistent != was.persistent) return now.persistent ? "is persistent now" : "is no longer persistent";
  if (now.attributes != was.attributes) return fmt::format("has attributes {}, had {}", quoted(now.attributes), quoted(was.attributes));
  return std::nullopt;
}

// Of two lists of words those that the other has not.
std::string beyond(const std::string& one, const std::string& other) {
  const auto words = [](const std::string& text) {
    std::istringstream stream(text);
    return std::vector<std::string>(std::istream_iterator<std::string>(stream), {});
  };
  const std::vector<std::string> others = words(other);
  std::vector<std::string> left = words(one);
  std::erase_if(left, [&](const std::string& word) { return std::ranges::find(others, word) != others.end(); });
  return fmt::format("{}", fmt::join(left, " "));
}

std::string difference_of_flags(const std::string& now, const std::string& was) {
  const std::string here = beyond(now, was), there = beyond(was, now);
  if (here.empty() && there.empty()) return fmt::format("the model's flags are {}, were {}", quoted(now), quoted(was));  // in another order
  return fmt::format("the model's flags are {}, were {}", quoted(here), quoted(there));
}

struct Left {
  std::string tensor, what;
};

std::optional<Left> first_left(const Census& now, const Census& before, Tally& tally) {
  const auto slots_now = registered(now), slots_before = registered(before);
  for (size_t i = 0; i < std::max(slots_now.size(), slots_before.size()); ++i) {
    tally.check();
    if (i >= slots_before.size()) return Left{slots_now[i]->path, "is a name that was not there before"};
    const std::string& path = slots_before[i]->path;
    if (i >= slots_now.size() || slots_now[i]->path != path) {
      const bool there = now.find(path) != nullptr;
      return Left{path, there ? fmt::format("has another place in the order of names: {} stands where it was", slots_now[i]->path)
                              : "is a name that is gone"};
    }
    if (auto what = residue(*slots_now[i], *slots_before[i])) return Left{path, *what};
  }
  tally.check();
  if (now.flags != before.flags) return Left{"", difference_of_flags(now.flags, before.flags)};
  return std::nullopt;
}

// Delivered tensors belong to the transport: in colocated training they are the trainer's weights.
std::optional<Finding> written_source(const Execution& warm) {
  for (size_t rank = 0; rank < warm.ranks.size(); ++rank)
    for (const Event& event : warm.ranks[rank].events)
      if (event.kind == EventKind::write_source)
        return Finding{.execution = "warm",
                       .rank = static_cast<int>(rank),
                       .step = event.step,
                       .what = "a delivered tensor was written, and not only read: " + event.text};
  return std::nullopt;
}

}  // namespace

Verdict judge_no_residue(const Evidence& evidence) {
  Tally tally("no_residue");
  if (!warm_of(evidence)) return tally.done("the scenario's own execution is missing");
  if (auto finding = written_source(*warm_of(evidence))) return tally.fail(*std::move(finding));
  for (size_t rank = 0; rank < evidence.plan.size(); ++rank) {
    const std::vector<RestingState> states = resting_states(evidence, rank);
    for (size_t i = 1; i < states.size(); ++i) {
      // A first forward may register what it needs; from then on it stays.
      if (step_at(*warm_of(evidence), states[i].planned.step)->kind == StepKind::forward) continue;
      if (auto left = first_left(*states[i].census, *states[i - 1].census, tally))
        return tally.fail({.execution = "warm",
                           .rank = static_cast<int>(rank),
                           .step = states[i].planned.step,
                           .tensor = left->tensor,
                           .what = left->what});
    }
  }
  if (updates_of(*warm_of(evidence)).empty()) return tally.unsupported("the scenario updates nothing");
  const Verdict verdict = tally.done("no update leaves the model at rest");
  if (!evidence.the_case.series.empty() && verdict.outcome == Outcome::inconclusive)
    return tally.unsupported("it is not known how what stands beside the windows ended");
  return left_unusable(evidence) ? tally.unusable() : verdict;
}

}  // namespace reloadlab::sim
