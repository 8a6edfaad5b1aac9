#include "sim/fuzz/novelty.h"

#include <algorithm>
#include <set>

namespace reloadlab::sim::fuzz {

void Novelty::note(std::span<const Choice> taken, bool news) {
  std::set<std::pair<uint32_t, uint32_t>> given;  // a kind that was drawn twice is in the case once
  for (const Choice& choice : taken)
    if (choice.about == About::swarm && choice.question) given.emplace(*choice.question, choice.value);
  for (const auto& answer : given) {
    Tally& tally = answers_[answer];
    ++tally.cases, tally.news += news;
  }
  ++all_.cases, all_.news += news;
}

// News a case, of those with the answer and of all, each as if a few more had been as all were: what was rarely drawn is not judged.
uint32_t Novelty::weight(uint32_t question, uint32_t answer) const {
  constexpr int64_t few = 16, least = 8, most = 64, same = 16;
  const auto found = answers_.find({question, answer});
  if (found == answers_.end() || all_.news == 0) return same;
  const Tally& tally = found->second;
  const int64_t mine = (tally.news * all_.cases + few * all_.news) * same, others = (tally.cases + few) * all_.news;
  return static_cast<uint32_t>(std::clamp(mine / others, least, most));
}

}  // namespace reloadlab::sim::fuzz
