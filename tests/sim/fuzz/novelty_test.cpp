#include "sim/fuzz/novelty.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "sim/fuzz/generate.h"
#include "sim/fuzz/swarm.h"

namespace reloadlab::sim::fuzz {
namespace {

// So many cases with the answer, of which so many brought news.
void note(Novelty& novelty, uint32_t answer, int cases, int news) {
  const Choice choice{.value = answer, .about = About::swarm, .question = 7};
  for (int at = 0; at < cases; ++at) novelty.note(std::span(&choice, 1), at < news);
}

TEST(Novelty, WeighsAnswersByWhatTheyBring) {
  Novelty novelty;
  EXPECT_EQ(novelty.weight(7, 1), 16U);
  note(novelty, 1, 200, 100), note(novelty, 0, 800, 20);
  EXPECT_GT(novelty.weight(7, 1), 48U);
  EXPECT_EQ(novelty.weight(7, 0), 8U);
  EXPECT_EQ(novelty.weight(7, 2), 16U);  // nobody knows
  EXPECT_EQ(novelty.weight(8, 1), 16U);
}

// One case that was lucky says little.
TEST(Novelty, TakesItsTime) {
  Novelty novelty;
  note(novelty, 0, 1000, 100), note(novelty, 1, 1, 1);
  EXPECT_LT(novelty.weight(7, 1), 28U);
}

int64_t cases_with(const Novelty* novelty, uint32_t kind) {
  int64_t count = 0;
  for (uint64_t index = 0; index < 400; ++index) {
    Choices choices(seed_of(3, index), novelty);
    const Swarm swarm = Swarm::draw(choices, 24);
    count += std::ranges::count(swarm.kinds, kind) > 0;
  }
  return count;
}

TEST(Novelty, MakesWhatBringsNewsLikelier) {
  Novelty novelty;
  const uint32_t kind = 5;
  for (uint64_t index = 0; index < 400; ++index) {
    Choices choices(seed_of(4, index));
    const Swarm swarm = Swarm::draw(choices, 24);
    novelty.note(choices.taken(), std::ranges::count(swarm.kinds, kind) > 0);
  }
  EXPECT_GT(cases_with(&novelty, kind), 2 * cases_with(nullptr, kind));
}

// A token holds the answers: who reads them needs no weights.
TEST(Novelty, IsNotNeededToDrawACaseAgain) {
  Novelty novelty;
  note(novelty, 1, 50, 50), note(novelty, 0, 50, 0);
  for (uint64_t index = 0; index < 20; ++index) {
    Choices choices(seed_of(5, index), &novelty);
    const Swarm swarm = Swarm::draw(choices, 24);
    Choices again(choices.answers());
    const Swarm same = Swarm::draw(again, 24);
    EXPECT_EQ(same.kinds, swarm.kinds);
    EXPECT_EQ(again.answers(), choices.answers());
  }
}

}  // namespace
}  // namespace reloadlab::sim::fuzz
