#pragma once
// A set of actors, in order of their numbers: who can go on. Everything costs a few words of bits, however many there are.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/world/order/clock.h"

namespace reloadlab::sim::modelled {

class ActorSet {
 public:
  bool contains(ActorId actor) const { return word_of(actor) < words_.size() && (words_[word_of(actor)] & bit_of(actor)) != 0; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  void set(ActorId actor, bool member) {
    if (contains(actor) == member) return;
    if (word_of(actor) >= words_.size()) words_.resize(word_of(actor) + 1, 0);
    words_[word_of(actor)] ^= bit_of(actor);
    size_ += member ? 1 : static_cast<size_t>(-1);
  }
  // The first one whose number is at least `from`; -1 where there is none.
  ActorId first(ActorId from = 0) const {
    uint64_t mask = ~(bit_of(from) - 1);
    for (size_t word = word_of(from); word < words_.size(); ++word, mask = ~uint64_t{0})
      if (uint64_t left = words_[word] & mask) return static_cast<ActorId>(word * 64 + static_cast<size_t>(std::countr_zero(left)));
    return -1;
  }
  // How many have lower numbers.
  size_t before(ActorId actor) const {
    size_t count = 0;
    for (size_t word = 0; word < word_of(actor) && word < words_.size(); ++word) count += static_cast<size_t>(std::popcount(words_[word]));
    if (word_of(actor) < words_.size()) count += static_cast<size_t>(std::popcount(words_[word_of(actor)] & (bit_of(actor) - 1)));
    return count;
  }

 private:
  static size_t word_of(ActorId actor) { return static_cast<size_t>(actor) / 64; }
  static uint64_t bit_of(ActorId actor) { return uint64_t{1} << (static_cast<size_t>(actor) % 64); }
  std::vector<uint64_t> words_;
  size_t size_ = 0;
};

}  // namespace reloadlab::sim::modelled
