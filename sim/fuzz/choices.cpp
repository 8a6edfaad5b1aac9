#include "sim/fuzz/choices.h"

#include <algorithm>

namespace reloadlab::sim::fuzz {

uint32_t Choices::given(uint32_t bound) const {
  const size_t list = answers_.size() - 1, place = answers_.back().size();
  return list < given_.size() && place < given_[list].size() ? std::min(given_[list][place], bound - 1) : 0;
}

uint32_t Choices::take(uint32_t value) {
  taken_.push_back({answers_.size() - 1, answers_.back().size(), value, about_});
  answers_.back().push_back(value);
  return value;
}

uint32_t Choices::below(uint32_t bound) { return take(draws_ ? static_cast<uint32_t>(prng_.below(bound)) : given(bound)); }

bool Choices::chance(int percent, bool allowed) {
  const bool drawn = draws_ && prng_.below(100) < static_cast<uint64_t>(percent) && allowed;
  return take(draws_ ? drawn : given(2)) == 1 && allowed;
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
