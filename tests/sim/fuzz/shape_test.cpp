#include "sim/fuzz/shape.h"

#include <gtest/gtest.h>

namespace reloadlab::sim::fuzz {
namespace {

Evidence evidence(std::vector<EventKind> kinds) {
  Evidence result;
  Execution warm{.variation = {.kind = Variation::Kind::warm}};
  warm.steps = {{.kind = StepKind::load}, {.kind = StepKind::reload}};
  warm.ranks.resize(1);
  for (const EventKind kind : kinds) warm.ranks[0].events.push_back({.kind = kind, .step = 1});
  warm.ranks[0].outcomes = {{.step = 0}, {.step = 1}};
  result.executions.push_back(std::move(warm));
  return result;
}

constexpr auto begin = EventKind::load_begin, counted = EventKind::load_counted, end = EventKind::load_end, done = EventKind::completed;

TEST(Shape, IsTheSameHoweverOftenSomethingHappens) {
  EXPECT_EQ(shape_of(evidence({begin, counted, end, begin, counted, end, done})),
            shape_of(evidence({begin, counted, end, begin, counted, end, begin, counted, end, done})));
}

TEST(Shape, IsTheSameWhateverSizesAndNames) {
  Evidence other = evidence({begin, counted, end});
  other.executions[0].ranks[0].events[1].numel = 77;
  other.executions[0].ranks[0].events[1].text = "weight";
  EXPECT_EQ(shape_of(other), shape_of(evidence({begin, counted, end})));
}

TEST(Shape, IsAnotherWhereSomethingFollowsSomethingElse) {
  EXPECT_NE(shape_of(evidence({begin, end, counted})), shape_of(evidence({begin, counted, end})));
}

TEST(Shape, IsAnotherInAnotherStepOrWithAnotherOutcome) {
  Evidence other = evidence({begin, counted, end});
  other.executions[0].steps[1].abort_after = 1;
  EXPECT_NE(shape_of(other), shape_of(evidence({begin, counted, end})));
  other = evidence({begin, counted, end});
  other.executions[0].ranks[0].outcomes[1].status = Status(Code::rejected, "no");
  EXPECT_NE(shape_of(other), shape_of(evidence({begin, counted, end})));
}

}  // namespace
}  // namespace reloadlab::sim::fuzz
