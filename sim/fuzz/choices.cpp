#include "sim/fuzz/choices.h"

#include <algorithm>

#include "sim/fuzz/novelty.h"

namespace reloadlab::sim::fuzz {

uint32_t Choices::given(uint32_t bound) const {
  const size_t list = answers_.size() - 1, place = answers_.back().size();
  return list < given_.size() && place < given_[list].size() ? std::min(given_[list][place], bound - 1) : 0;
}

uint32_t Choices::take(uint32_t value, std::optional<uint32_t> question) {
  taken_.push_back({answers_.size() - 1, answers_.back().size(), value, about_, question});
  answers_.back().push_back(value);
  return value;
}

uint32_t Choices::below(uint32_t bound) { return take(draws_ ? static_cast<uint32_t>(prng_.below(bound)) : given(bound)); }

bool Choices::chance(int percent, bool allowed) {
  const bool drawn = draws_ && prng_.below(100) < static_cast<uint64_t>(percent) && allowed;
  return take(draws_ ? drawn : given(2)) == 1 && allowed;
}

uint32_t Choices::weight(uint32_t question, uint32_t answer) const {
  constexpr uint32_t same = 16;
  return novelty_ ? novelty_->weight(question, answer) : same;
}

uint32_t Choices::weighed_below(uint32_t bound, uint32_t question) {
  if (!draws_) return take(given(bound), question);
  uint64_t all = 0;
  for (uint32_t answer = 0; answer < bound; ++answer) all += weight(question, answer);
  uint64_t at = prng_.below(all);
  uint32_t answer = 0;
  for (; at >= weight(question, answer); ++answer) at -= weight(question, answer);
  return take(answer, question);
}

bool Choices::weighed_chance(int percent, uint32_t question) {
  if (!draws_) return take(given(2), question) == 1;
  const uint64_t yes = static_cast<uint64_t>(percent) * weight(question, 1),
                 no = static_cast<uint64_t>(100 - percent) * weight(question, 0);
  return take(prng_.below(yes + no) < yes, question) == 1;
}

Choices::Scope::Scope(Choices& choices, About about)
    : choices_(choices), before_(choices.about_), is_stretch_(about == About::layer || about == About::step) {
  choices_.about_ = about;
  if (!is_stretch_) return;
  if (choices_.open_++ == 0) choices_.answers_.emplace_back();
  stretch_ = choices_.stretches_.size();
  choices_.stretches_.push_back({about, choices_.answers_.size() - 1, choices_.answers_.back().size(), 0});
}

Choices::Scope::~Scope() {
  choices_.about_ = before_;
  if (!is_stretch_) return;
  --choices_.open_;
  choices_.stretches_[stretch_].end = choices_.answers_.back().size();
}

}  // namespace reloadlab::sim::fuzz
