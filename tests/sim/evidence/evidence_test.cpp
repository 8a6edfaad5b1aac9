#include "sim/evidence/evidence.h"

#include <gtest/gtest.h>

#include <set>

#include "sim/evidence/enums.h"

namespace reloadlab::sim {
namespace {

TEST(Evidence, VariationsAreLabelled) {
  using Kind = Variation::Kind;
  EXPECT_EQ((Variation{.kind = Kind::warm}).label(), "warm");
  EXPECT_EQ((Variation{.kind = Kind::poison, .index = 1}).label(), "poison");
  EXPECT_EQ((Variation{.kind = Kind::again}).label(), "again");
  EXPECT_EQ((Variation{.kind = Kind::cold, .name = "B"}).label(), "cold B");
  EXPECT_EQ((Variation{.kind = Kind::cold, .name = "B", .index = 1}).label(), "cold B, poison 1");
  EXPECT_EQ((Variation{.kind = Kind::digit, .index = 2}).label(), "digit 2");
  EXPECT_EQ((Variation{.kind = Kind::order, .index = 1}).label(), "order 1");
  EXPECT_EQ((Variation{.kind = Kind::repeat, .index = 100}).label(), "repeat 100");
  EXPECT_EQ((Variation{.kind = Kind::fault, .index = 4, .fault = Fault{Fault::At::copy_back, 3}}).label(), "fault copy_back 3");
  EXPECT_EQ((Variation{.kind = Kind::fault, .index = 4}).label(), "fault 4");
}

TEST(Evidence, EventNamesAreDifferentAndReadBack) {
  std::set<std::string_view> names;
  for (int kind = 0; kind <= static_cast<int>(EventKind::forward); ++kind) {
    const std::string_view name = event_name(static_cast<EventKind>(kind));
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(archive::enum_from_name<EventKind>(name), static_cast<EventKind>(kind));
  }
  EXPECT_EQ(event_name(EventKind::step_begin), "step_begin");
  EXPECT_EQ(event_name(EventKind::write_kernel), "write_kernel");
  EXPECT_EQ(event_name(EventKind::forward), "forward");
}

TEST(Evidence, FindIsExact) {
  Evidence evidence;
  evidence.executions.resize(2);
  evidence.executions[1].variation = {.kind = Variation::Kind::cold, .name = "A", .index = 1};
  EXPECT_EQ(evidence.find(Variation::Kind::warm), &evidence.executions[0]);
  EXPECT_EQ(evidence.find(Variation::Kind::cold, "A", 1), &evidence.executions[1]);
  EXPECT_EQ(evidence.find(Variation::Kind::cold, "A"), nullptr);
  EXPECT_EQ(evidence.find(Variation::Kind::cold), nullptr);
  const Census census{.entries = {{.path = "a"}, {.path = "b"}}};
  EXPECT_EQ(census.find("b"), &census.entries[1]);
  EXPECT_EQ(census.find("c"), nullptr);
}

}  // namespace
}  // namespace reloadlab::sim
