// Slots are Python's dictionaries: order is part of what a reload must keep.
#include "tests/reference/model/fixture.h"

namespace reloadlab::model {
namespace {

std::vector<std::string> names(const Slots& slots) {
  std::vector<std::string> all;
  for (const Slot& slot : slots) all.push_back(slot.name);
  return all;
}

Slots three() {
  Slots slots;
  for (const char* name : {"a", "b", "c"}) slots.set(name, std::make_shared<Parameter>());
  return slots;
}

TEST(Slots, setting_an_existing_name_keeps_its_place) {
  Slots slots = three();
  slots.set("b", nullptr, false);
  EXPECT_EQ(names(slots), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(slots.find("b")->handle, nullptr);
  EXPECT_FALSE(slots.find("b")->persistent);
}

TEST(Slots, erasing_and_setting_again_moves_to_the_end) {
  Slots slots = three();
  EXPECT_TRUE(slots.erase("a"));
  EXPECT_FALSE(slots.erase("a"));
  slots.set("a", nullptr);
  EXPECT_EQ(names(slots), (std::vector<std::string>{"b", "c", "a"}));
}

TEST(Slots, an_empty_slot_is_there_and_has_no_tensor) {
  Layer layer({}, "L");
  layer.buffers.set("cache", nullptr);
  EXPECT_NE(layer.buffers.find("cache"), nullptr);
  EXPECT_EQ(layer.tensor("cache"), nullptr);
  int seen = 0;
  for_each_tensor(layer, [&](const Slot&, bool) { ++seen; });
  EXPECT_EQ(seen, 0);
}

TEST(Slots, assigning_finds_the_dictionary_and_keeps_persistence) {
  Layer layer({}, "L");
  layer.buffers.set("cache", nullptr, false);
  layer.assign("cache", std::make_shared<Parameter>());
  layer.assign("new", std::make_shared<Parameter>());
  EXPECT_NE(layer.buffers.find("cache")->handle, nullptr);
  EXPECT_FALSE(layer.buffers.find("cache")->persistent);
  EXPECT_NE(layer.parameters.find("new"), nullptr);
  EXPECT_TRUE(layer.erase("cache"));
  EXPECT_FALSE(layer.erase("cache"));
}

}  // namespace
}  // namespace reloadlab::model
