#include "sim/report/columns.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "sim/report/layer_names.h"
#include "sim/report/ring_table.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

// Every rank reaches so many layers in a pass and receives those that it does not own.
TracedExecution ring(int ranks, int layers) {
  TracedExecution run{.id = "ring", .candidate = "x", .execution = "warm", .world = "sim", .steps = {"load", "pass"}};
  const auto name = [&](int layer) { return fmt::format("blocks.{}.o_proj", layer % layers); };
  run.series = {{"o", 1, {}}};
  for (int layer = 0; layer < layers; ++layer) run.series[0].layers.push_back(name(layer));
  for (int rank = 0; rank < ranks; ++rank) {
    std::vector<TracedEvent> events;
    for (int layer = 0; layer < layers; ++layer) {
      const bool own = (layer + 1) % ranks == rank;
      events.push_back({.event = "reach_begin", .layer = name(layer), .step = 1});
      events.push_back({.event = "collective",
                        .layer = own ? name(layer + 1) : "",
                        .text = fmt::format("broadcast root {} of all", (layer + 1) % ranks),
                        .step = 1,
                        .value = 10 + layer % 2});
      events.push_back({.event = "reach_end", .layer = name(layer), .step = 1});
    }
    run.ranks.emplace_back(rank, std::move(events));
  }
  for (int layer = 0; layer < layers; ++layer)
    for (int rank = 0; rank < ranks; ++rank)
      for (const char* stream : {"stream 0", "stream 6"})
        run.timeline.push_back({.rank = rank,
                                .stream = fmt::format("{} of sim:{}", stream, rank),
                                .operation = "aten::copy_",
                                .about = "step 1: forward of " + name(layer),
                                .step = 1});
  return run;
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

TEST(Columns, ThatFindNoRoomAreCounted) {
  const std::string some = columns_text({{ring(16, 3)}}, {});
  for (const std::string& line : lines(some)) EXPECT_LE(line.size(), 120u) << line;
  EXPECT_NE(some.find("| rank 2 "), std::string::npos) << some;
  EXPECT_EQ(some.find("rank 3"), std::string::npos) << some;
  EXPECT_NE(some.find("26 more streams are left out: --ranks"), std::string::npos) << some;
  EXPECT_NE(some.find("| copy_ (2) "), std::string::npos) << some;
  const std::string one = columns_text({{ring(16, 3)}}, {.ranks = {15}});
  EXPECT_NE(one.find("| rank 15 "), std::string::npos) << one;
  EXPECT_NE(one.find("copy_ (forward of 2)"), std::string::npos) << one;
  EXPECT_EQ(one.find("left out"), std::string::npos) << one;
}

// Two models share a rank's compute stream, and their broadcasts have streams whose numbers have two digits.
TEST(Columns, SayWhoseWeightIsSentForWhichStepOfWhichModel) {
  std::vector<TracedExecution> models{ring(2, 3), ring(2, 3)};
  for (int64_t model : {0, 1}) models[static_cast<size_t>(model)].model = model, models[static_cast<size_t>(model)].models = 2;
  TracedExecution& run = models[0];
  run.timeline.clear();
  for (int64_t model : {0, 1})
    for (int rank : {0, 1}) {
      const std::string about = fmt::format("step 1, model {}: reach blocks.0.o_proj", model);
      const auto add = [&](const std::string& stream, const std::string& operation) {
        run.timeline.push_back({rank, fmt::format("{} of sim:{}", stream, rank), operation, about, 1, model});
      };
      add("stream 0", "record");
      add(fmt::format("stream {}", 9 + model), fmt::format("broadcast #4 of all{}", model == 0 ? "" : " of model 1"));
    }
  std::ranges::stable_partition(run.timeline, [](const TracedStep& step) { return step.operation == "record"; });
  std::ranges::stable_partition(run.timeline, [](const TracedStep& step) { return step.model == 0; });
  EXPECT_EQ(columns_text(models, {.ranks = {0, 1}}),
            "layers: N is blocks.N.o_proj\n"
            "                      | rank 0        | rank 0        | rank 0        | rank 1        | rank 1        | rank 1\n"
            " row  step            | stream 0      | stream 9      | stream 10     | stream 0      | stream 9      | stream 10\n"
            "   0  1 pass, model 0 | record (0)    |               |               | record (0)    |               |\n"
            "   1                  |               | broadcast 1   |               |               | broadcast 1   |\n"
            "   2  1 pass, model 1 | record (0)    |               |               | record (0)    |               |\n"
            "   3                  |               |               | broadcast 1   |               |               | broadcast 1\n");
  EXPECT_EQ(columns_text(models, {.step = 0}), "nothing was done on a device\n");
  run.timeline.clear();
  EXPECT_EQ(columns_text(models, {}), "no column for each stream: the world sim keeps no times\n");
}

TEST(Rings, HaveARowForEachReachAndAColumnForEachWindow) {
  TracedExecution run = ring(2, 3);
  std::vector<TracedEvent>& events = run.ranks[0].second;
  const auto read = [](int layer, int64_t storage) {
    return TracedEvent{.event = "read", .layer = fmt::format("blocks.{}.o_proj", layer), .text = "weight", .step = 1, .storage = storage};
  };
  events.insert(events.begin() + 6, read(1, 10));
  events.push_back(read(2, 10));
  events.push_back(read(2, 77));
  events.push_back({.event = "reach_begin", .layer = "blocks.0.o_proj", .step = 2});
  run.steps.push_back("pass");
  EXPECT_EQ(rings_text(run, {.ranks = {0}}),
            "ring of series o, rank 0: who lives in which window\n"
            "step   | reach | slot 1               | beside the windows\n"
            "1 pass | 0     | 1 arrives            |\n"
            "       | 1     | 1, read              | sends 2\n"
            "       | 2     | 0 arrives, read as 2 | reads own 2\n"
            "2 pass | 0     | 0                    |\n\n");
  EXPECT_EQ(rings_text(run, {.step = 2, .ranks = {0}}),
            "ring of series o, rank 0: who lives in which window\n"
            "step   | reach | slot 1 | beside the windows\n"
            "2 pass | 0     | 0      |\n\n");
}

TEST(Rings, OfManyLayersRanksAndWindowsSayWhatTheyLeaveOut) {
  const std::string many = rings_text(ring(2, 61), {.most = 5, .ranks = {1}});
  EXPECT_NE(many.find("… and 56 more rows: --rows"), std::string::npos) << many;
  EXPECT_NE(rings_text(ring(16, 3), {}).find("series o: 12 more ranks left out: --ranks"), std::string::npos);
  TracedExecution wide = ring(2, 61);
  wide.series[0].prefetch = 59;
  int64_t storage = 0;
  for (TracedEvent& event : wide.ranks[0].second)
    if (event.event == "collective") event.value = ++storage;
  const std::string cut = rings_text(wide, {.ranks = {0}});
  for (const std::string& line : lines(cut)) EXPECT_LE(line.size(), 120u) << line;
  EXPECT_NE(cut.find(" more slots: --width"), std::string::npos) << cut;
}

// No host sees what a replay does.
TEST(Rings, OfGraphsTellNoTenants) {
  TracedExecution run = ring(2, 3);
  run.steps = {"load", "pass", "replay", "pass"};
  run.ranks[0].second.push_back({.event = "read", .layer = "blocks.1.o_proj", .text = "weight", .step = 2, .storage = 10});
  run.ranks[0].second.push_back({.event = "reach_begin", .layer = "blocks.0.o_proj", .step = 3});
  const std::string text = rings_text(run, {.ranks = {0}});
  EXPECT_NE(text.find("2 replay | -     | .         | fills and reads as it was captured\n3 pass   | 0     | .         |\n"),
            std::string::npos)
      << text;
}

TEST(LayerNames, AreWhatTellsLayersApart) {
  const LayerNames plain({{"o", 1, {"blocks.0.o_proj", "blocks.10.o_proj"}}});
  EXPECT_EQ(plain("blocks.10.o_proj"), "10");
  EXPECT_EQ(plain.in("reach blocks.0.o_proj"), "reach 0");
  EXPECT_EQ(plain("head"), "head");
  EXPECT_EQ(plain.legend(), "layers: N is blocks.N.o_proj\n");
  const LayerNames two({{"o", 1, {"blocks.0.o_proj"}}, {"q", 1, {"blocks.0.q_proj"}}});
  EXPECT_EQ(two("blocks.0.q_proj"), "q_proj");
  const LayerNames odd({{"o", 1, {"a.x", "a.x.x"}}});
  EXPECT_EQ(odd("a.x"), "a.x");
  EXPECT_EQ(odd.legend(), "");
  EXPECT_EQ(LayerNames({{"o", 1, {"alone"}}})("alone"), "alone");
}

TEST(Races, HaveSchedulesThatAShellPutsTogetherAgain) {
  TracedExecution run = ring(2, 3);
  const TracedStep first{
      .rank = 0, .stream = "stream 6 of sim:0", .operation = "broadcast #5 of all", .about = "step 1: reach blocks.0.o_proj", .step = 1};
  std::string schedule = "s1-";
  for (int i = 0; i < 200; ++i) schedule += fmt::format("{},", i);
  run.races = {{.rank = 0,
                .first = first,
                .second = first,
                .first_writes = true,
                .witness = "wrong bytes",
                .reader = "blocks.0.o_proj on rank 1 in step 2",
                .schedule = schedule}};
  std::string text = races_text(run, {});
  for (const std::string& line : lines(text)) EXPECT_LE(line.size(), 120u) << line;
  EXPECT_EQ(text.find(schedule), std::string::npos);
  for (size_t at; (at = text.find("\\\n")) != std::string::npos;) text.erase(at, 2);
  EXPECT_NE(text.find("wrong bytes in one of the two orders: blocks.0.o_proj on rank 1 in step 2: --schedule " + schedule + "\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(races_text(run, {.step = 2}), "");
  EXPECT_EQ(races_text(run, {.ranks = {1}}), "");
}

}  // namespace
}  // namespace reloadlab::tests
