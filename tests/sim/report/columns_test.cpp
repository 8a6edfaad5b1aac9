#include "sim/report/columns.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>

namespace reloadlab::tests {
namespace {

using namespace sim;

// Every rank reaches so many layers in a pass and receives those that it does not own.
TracedExecution ring(int ranks, int layers) {
  TracedExecution run{.id = "ring", .candidate = "x", .execution = "warm"};
  const auto name = [&](int layer) { return fmt::format("blocks.{}.o_proj", layer % layers); };
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
                                .about = "step 1: forward of " + name(layer)});
  return run;
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

TEST(Columns, ThatFindNoRoomAreCounted) {
  const std::string some = columns_text(ring(16, 3), {});
  for (const std::string& line : lines(some)) EXPECT_LE(line.size(), 120u) << line;
  EXPECT_NE(some.find("| rank 2, stream 6"), std::string::npos) << some;
  EXPECT_EQ(some.find("rank 3"), std::string::npos) << some;
  EXPECT_NE(some.find("26 more streams are left out: --ranks"), std::string::npos) << some;
  EXPECT_NE(some.find("| copy_ 2 "), std::string::npos) << some;
  const std::string one = columns_text(ring(16, 3), {.ranks = {15}});
  EXPECT_NE(one.find("| rank 15, stream 6"), std::string::npos) << one;
  EXPECT_NE(one.find("copy_ forward of 2"), std::string::npos) << one;
  EXPECT_EQ(one.find("left out"), std::string::npos) << one;
}

TEST(Windows, StandBelowTheirNames) {
  const std::vector<std::string> table = lines(windows_text(ring(2, 3), {.ranks = {0}}));
  EXPECT_EQ(table,
            (std::vector<std::string>{"rank 0 reaches | into 10", "0              | 1", "1              | .", "2              | 0", ""}));
  const std::string many = windows_text(ring(2, 61), {.most = 5, .ranks = {1}});
  EXPECT_NE(many.find("… and 56 more"), std::string::npos) << many;
  for (const std::string& line : lines(windows_text(ring(2, 61), {}))) EXPECT_LE(line.size(), 120u) << line;
}

TEST(Races, HaveSchedulesThatAShellPutsTogetherAgain) {
  TracedExecution run = ring(2, 3);
  const TracedStep first{
      .rank = 0, .stream = "stream 6 of sim:0", .operation = "broadcast #5 of all", .about = "step 1: reach blocks.0.o_proj"};
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
