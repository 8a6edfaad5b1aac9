#include "sim/world/modelled/store.h"

#include <ATen/ops/zeros.h>

#include <set>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "tests/sim/world/modelled/fixture.h"

namespace reloadlab::sim::modelled {
namespace {

std::string text(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

TEST(Store, AGetWaitsForItsKey) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Machine machine({.ranks = 2}, random_choices(seed));
    expect_clean(machine.run([&](int rank) {
      auto store = make_store("s");
      if (rank == 0) store->set("address", std::string("here"));
      EXPECT_EQ(text(store->get("address")), "here");
      EXPECT_TRUE(store->check({"address"}));
      EXPECT_FALSE(store->check({"address", "port"}));
      EXPECT_EQ(store->getNumKeys(), 1);
    }));
  }
}

TEST(Store, WhoSetAKeyIsHeardByWhoWaitedForIt) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Machine machine({.ranks = 2}, random_choices(seed));
    at::Tensor x = at::zeros({4}, on(0));
    machine.synchronize_device(0);
    expect_clean(machine.run([&](int rank) {
      auto store = make_store("s");
      if (rank == 0) {
        x.fill_(1);
        here(0).synchronize();
        store->set("written", std::string("yes"));
      } else {
        store->wait({"written"});
        const c10::StreamGuard guard(side_stream(0));
        x.fill_(2);
      }
    }));
    EXPECT_TRUE(raced(machine).empty()) << seed;
  }
}

// Nobody else goes on in the calls of a quiet store, and who finds a key has heard who set it.
TEST(Store, AQuietOneAddsNoChoices) {
  const auto choices = [](Stores calls) {
    Machine machine({.ranks = 2}, round_robin());
    expect_clean(machine.run([&](int rank) {
      auto store = make_store("s", calls);
      store->set(std::string(1, static_cast<char>('a' + rank)), std::string("x"));
      EXPECT_TRUE(store->check({"a"}));
      EXPECT_EQ(text(store->get("b")), "x");
      EXPECT_GE(store->getNumKeys(), 1);
    }));
    return machine.schedule().size();
  };
  EXPECT_EQ(choices(Stores::quiet), 1u);  // who begins
  EXPECT_GT(choices(Stores::visible), 4u);
}

TEST(Store, EverySumIsTakenOnceAndByWhoComesFirstIsAChoice) {
  std::set<int64_t> first;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Machine machine({.ranks = 2}, random_choices(seed));
    std::vector<int64_t> sums(2);
    expect_clean(machine.run([&](int rank) { sums[static_cast<size_t>(rank)] = make_store("s")->add("count", 1); }));
    EXPECT_EQ(sums[0] + sums[1], 3);
    first.insert(sums[0]);
  }
  EXPECT_EQ(first, (std::set<int64_t>{1, 2}));
}

TEST(Store, ComparesBeforeItSets) {
  Machine machine({.ranks = 1}, round_robin());
  auto store = make_store("s");
  EXPECT_EQ(store->compareSet("k", "", "a"), "a");
  EXPECT_EQ(store->compareSet("k", "x", "b"), "a");
  EXPECT_EQ(store->compareSet("k", "a", "b"), "b");
  EXPECT_TRUE(store->deleteKey("k"));
  EXPECT_FALSE(store->deleteKey("k"));
  EXPECT_EQ(store->compareSet("k", "x", "b"), "x");
  EXPECT_FALSE(store->check({"k"}));
}

TEST(Store, ThePictureNamesTheKeyThatNobodySets) {
  Machine machine({.ranks = 1}, round_robin());
  auto store = make_store("s");
  store->setTimeout(std::chrono::milliseconds(20));
  EXPECT_EQ(message_of([&] { store->get("never"); }), "no key 'never' in the store s after 20 ms");
  // A host that waits for a stream which waits for a host that waits for a key: without a time-out nothing ends it.
  RunReport report = machine.run([&](int) {
    auto never = std::make_shared<Point>();
    never->name = named("nothing");
    machine.host_wait(never);
  });
  EXPECT_EQ(report.waits, std::vector<std::string>{"host 0 waits for nothing"});
}

TEST(Store, AKeyThatWasDeletedIsWaitedForAgain) {
  Machine machine({.ranks = 1}, round_robin());
  auto store = make_store("s");
  store->set("k", std::string("v"));
  store->wait({"k"});
  store->deleteKey("k");
  EXPECT_NE(message_of([&] { store->wait({"k"}, std::chrono::milliseconds(1)); }), "nothing thrown");
}

}  // namespace
}  // namespace reloadlab::sim::modelled
