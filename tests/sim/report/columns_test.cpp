#include "sim/report/columns.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/report/layer_names.h"
#include "sim/report/races.h"
#include "sim/report/text.h"
#include "tests/sim/report/traced.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

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

// Two series of two ranks, with a stream for each series' broadcasts: the layer stays where what is done about it finds no room.
TracedExecution two_series(int ranks) {
  TracedExecution run = ring(ranks, 3);
  run.series.push_back({"q", 1, {"blocks.0.q_b_proj", "blocks.1.q_b_proj", "blocks.2.q_b_proj"}});
  run.timeline.clear();
  for (int rank = 0; rank < ranks; ++rank)
    for (const TracedSeries& series : run.series)
      for (const char* operation : {"record", "wait", "aten::copy_", "broadcast #3 of all", "copy from host"})
        run.timeline.push_back({.rank = rank,
                                .stream = fmt::format("stream {} of sim:{}", series.name == "o" ? 0 : 9, rank),
                                .operation = operation,
                                .about = "step 1: forward of " + series.layers[2],
                                .step = 1});
  return run;
}

TEST(Columns, NameTheLayerInEveryCell) {
  for (const size_t width : {120, 80, 40})
    for (const int ranks : {1, 2, 3}) {
      const std::vector<std::string> all = lines(columns_text({{two_series(ranks)}}, {.width = width}));
      size_t cells = 0;
      for (const std::string& line : all) {
        EXPECT_LE(columns(line), width) << line;
        if (!std::isdigit(line[3])) continue;
        std::istringstream in(line.substr(line.find('|') + 1));
        for (std::string cell; std::getline(in, cell, '|');) {
          if (cell.find_first_not_of(' ') == std::string::npos) continue;
          ++cells;
          EXPECT_TRUE(cell.find("o.2") != std::string::npos || cell.find("q.2") != std::string::npos) << line;
        }
      }
      EXPECT_GE(cells, 5u);
    }
}

// What loading broadcasts comes in one go, about no layer; it is known by its number.
TEST(Columns, NameWhatLoadingBroadcasts) {
  TracedExecution run = ring(2, 3);
  for (TracedRank& rank : run.ranks)
    for (TracedEvent& event : rank.events) event.step = 0, event.event = event.event == "collective" ? "collective" : "load_end";
  run.timeline = {
      {.rank = 0, .stream = "stream 1 of sim:0", .operation = "broadcast #1 of all", .about = "step 0: finish_loading", .step = 0}};
  EXPECT_NE(columns_text({{run}}, {.step = 0}).find("| broadcast 2 (finish_loading)\n"), std::string::npos);
}

TEST(Columns, MarkBothCellsOfARaceWithOrWithoutWitness) {
  TracedExecution run = ring(2, 3);
  const auto at = [&](const char* stream, int layer) {
    return *std::ranges::find_if(run.timeline, [&](const TracedStep& step) {
      return step.stream == std::string(stream) && step.about == fmt::format("step 1: forward of blocks.{}.o_proj", layer);
    });
  };
  run.races = {{.number = 1, .rank = 0, .first = at("stream 0 of sim:0", 1), .second = at("stream 6 of sim:0", 2)},
               {.number = 2, .rank = 1, .first = at("stream 6 of sim:1", 0), .second = at("stream 0 of sim:1", 0), .witness = "benign"}};
  for (const size_t width : {120, 80}) {
    const std::string text = columns_text({{run}}, {.width = width});
    for (const char* mark : {"!1", "!2"}) {
      const size_t first = text.find(mark), second = text.find(mark, first + 1);
      EXPECT_NE(second, std::string::npos) << text;
      EXPECT_EQ(text.find(mark, second + 1), std::string::npos) << text;
    }
  }
  const std::string text = races_text(run, {});
  EXPECT_NE(text.find("  !1  "), std::string::npos) << text;
  EXPECT_NE(text.find("no schedule is kept in which they change places"), std::string::npos) << text;
}

TEST(LayerNames, AreWhatTellsLayersApart) {
  const LayerNames plain({{"o", 1, {"blocks.0.o_proj", "blocks.10.o_proj"}}});
  EXPECT_EQ(plain("blocks.10.o_proj"), "10");
  EXPECT_EQ(plain.in("reach blocks.0.o_proj"), "reach 0");
  EXPECT_EQ(plain("head"), "head");
  EXPECT_EQ(plain.legend(), "layers: N is blocks.N.o_proj");
  const LayerNames two({{"o", 1, {"blocks.0.o_proj", "blocks.1.o_proj"}}, {"attention", 1, {"blocks.0.q_proj", "blocks.1.q_proj"}}});
  EXPECT_EQ(two("blocks.1.o_proj"), "o.1");
  EXPECT_EQ(two.in("forward of blocks.0.q_proj"), "forward of attention.0");
  EXPECT_EQ(two.within("blocks.0.q_proj", 7), "atte~.0");
  EXPECT_EQ(two.within("blocks.0.q_proj", 3), "0");
  EXPECT_EQ(two.layer_in("reach blocks.1.o_proj"), "blocks.1.o_proj");
  EXPECT_EQ(two.layer_in("finish_loading"), "");
  EXPECT_EQ(two.legend(), "layers: o.N is blocks.N.o_proj, attention.N is blocks.N.q_proj");
  EXPECT_EQ(LayerNames({{"o", 1, {"layers.first.o", "nothing.like.it.at.all"}}}).within("nothing.like.it.at.all", 9), "noth~.all");
  const LayerNames odd({{"o", 1, {"a.x", "a.x.x"}}});
  EXPECT_EQ(odd("a.x"), "a.x");
  EXPECT_EQ(odd.legend(), "");
  EXPECT_EQ(LayerNames({{"o", 1, {"alone"}}})("alone"), "alone");
}

// Each as a shell gives it back.
TEST(ShellWord, IsInQuotesWhereAShellWouldReadMore) {
  for (const char* plain : {"out/run-1/failing/small.ranks-2.yaml", "vllm-ascend@0.13.0rc1", "python:mine:Skips", "a=b"})
    EXPECT_EQ(shell_word(plain), plain);
  EXPECT_EQ(shell_word("small[ranks=2]"), "'small[ranks=2]'");
  EXPECT_EQ(shell_word("it's here.yaml"), "'it'\\''s here.yaml'");
  EXPECT_EQ(shell_word("*"), "'*'");
  EXPECT_EQ(shell_word(""), "''");
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
  EXPECT_EQ(races_text(run, {.width = 40}).find(" \n"), std::string::npos);
  for (size_t at; (at = text.find("\\\n")) != std::string::npos;) text.erase(at, 2);
  EXPECT_NE(text.find("wrong bytes in one of the two orders: blocks.0.o_proj on rank 1 in step 2:\n  --schedule " + schedule + "\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(races_text(run, {.step = 2}), "");
  EXPECT_EQ(races_text(run, {.ranks = {1}}), "");
}

}  // namespace
}  // namespace reloadlab::tests
