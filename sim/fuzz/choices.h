#pragma once
// Every decision of a drawn case, in lists of integers. Drawn from a seed they are written down; given, they are read instead, so that
// whoever changes the lists changes the case. Zero is the simplest answer to every question, and what a list that is too short says.
//
//   Choices choices(seed);            →  case, choices.answers()
//   Choices again(choices.answers()); →  the same case
//
// There is a list for what is said of the case as a whole, one for each layer and one for each step, so that a list which is left out or
// changed leaves the others with their questions.
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <vector>

#include "reference/base/prng.h"

namespace reloadlab::sim::fuzz {

// What a choice is about: shrinking asks in this order.
enum class About { ranks, layer, parameter, size, step, load, type, quant, order, swarm, schedule };
inline constexpr About kAbouts[] = {About::ranks, About::layer, About::parameter, About::size,  About::step,    About::load,
                                    About::type,  About::quant, About::order,     About::swarm, About::schedule};

using Answers = std::vector<std::vector<uint32_t>>;

struct Choice {
  size_t list = 0, place = 0;  // in Answers
  uint32_t value = 0;
  About about = About::swarm;
  std::optional<uint32_t> question;  // whose answers are drawn by what they bring
};

class Novelty;

// The choices of a layer or a step, from the question whether there is one more: without them there is one less. Layers below a layer are
// parts of its list.
struct Stretch {
  About about;
  size_t list, begin, end;
};

class Choices {
 public:
  // With `novelty` (which outlives this) the answers to weighed questions are drawn by it.
  explicit Choices(uint64_t seed, const Novelty* novelty = nullptr) : prng_(seed), draws_(true), novelty_(novelty) {}
  explicit Choices(Answers given) : prng_(0), given_(std::move(given)) {}

  // Uniform in [0, bound). REQUIRES bound > 0. What was given and is too large counts as bound - 1.
  uint32_t below(uint32_t bound);
  // True in so many of a hundred. Where it is not allowed it is asked all the same, so that the questions behind it stay in their places.
  bool chance(int percent, bool allowed = true);
  bool flip() { return chance(50); }
  // The same of questions that are weighed, by a number for each.
  uint32_t weighed_below(uint32_t bound, uint32_t question);
  bool weighed_chance(int percent, uint32_t question);
  int64_t between(int64_t least, int64_t most) { return least + below(static_cast<uint32_t>(most - least + 1)); }
  template <class List>
  auto pick(const List& list) {
    return list.begin()[below(static_cast<uint32_t>(list.size()))];
  }
  template <class T>
  T pick(std::initializer_list<T> list) {
    return list.begin()[below(static_cast<uint32_t>(list.size()))];
  }

  const std::vector<Choice>& taken() const { return taken_; }
  const std::vector<Stretch>& stretches() const { return stretches_; }
  const Answers& answers() const { return answers_; }

  // For as long as it lives, what choices are about; and, for `layer` and `step`, a stretch.
  class Scope {
   public:
    Scope(Choices& choices, About about);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Choices& choices_;
    const About before_;
    size_t stretch_ = 0;
    const bool is_stretch_;
  };

 private:
  uint32_t given(uint32_t bound) const;
  uint32_t take(uint32_t value, std::optional<uint32_t> question = {});
  uint32_t weight(uint32_t question, uint32_t answer) const;

  Prng prng_;
  bool draws_ = false;
  const Novelty* novelty_ = nullptr;
  Answers given_, answers_{1};
  std::vector<Choice> taken_;
  std::vector<Stretch> stretches_;
  About about_ = About::swarm;
  int open_ = 0;  // stretches
};

}  // namespace reloadlab::sim::fuzz
