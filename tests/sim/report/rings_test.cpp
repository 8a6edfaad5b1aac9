// Who lives in which window, at each reach.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/report/ring_table.h"
#include "sim/report/text.h"
#include "tests/sim/report/traced.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

TracedEvent lies(int layer, int64_t storage, int64_t step = 0) {
  return {.event = "lies", .layer = fmt::format("blocks.{}.o_proj", layer), .step = step, .value = storage};
}
TracedEvent rings_read(int layer, int64_t storage, int64_t step = 1) {
  return {.event = "read", .layer = fmt::format("blocks.{}.o_proj", layer), .text = "weight", .step = step, .storage = storage};
}
TracedEvent step_end(int64_t step, const std::string& failed = {}) { return {.event = "step_end", .text = failed, .step = step}; }
TracedEvent reach(int layer, int64_t step) {
  return {.event = "reach_begin", .layer = fmt::format("blocks.{}.o_proj", layer), .step = step};
}

// Without what the words mean.
std::string tables(const TracedExecution& run, const ViewOptions& options) {
  const std::string text = rings_text(run, options);
  return text.substr(text.find("ring of"));
}

void begin_with(std::vector<TracedEvent>& events, std::vector<TracedEvent> first) {
  events.insert(events.begin(), first.begin(), first.end());
}

TEST(Rings, HaveARowForEachReachAndAColumnForEachWindow) {
  TracedExecution run = ring(2, 3);
  std::vector<TracedEvent>& events = run.ranks[0].events;
  events.insert(events.begin() + 6, rings_read(1, 10));
  begin_with(events, {lies(1, 10), step_end(0)});
  events.push_back(rings_read(2, 10));
  events.push_back(rings_read(2, 77));
  events.push_back(reach(0, 2));
  run.steps.push_back("pass");
  EXPECT_EQ(tables(run, {.ranks = {0}}),
            "ring of series o, rank 0: who lives in which window\n"
            "step   | reach | slot 1                | beside the windows\n"
            "1 pass | 0     | 1 arriving            |\n"
            "       | 1     | 1 arriving, read      | sends 2\n"
            "       | 2     | 0 arriving, read as 2 | reads own 2\n"
            "2 pass | 0     | 0 held                |\n\n");
  EXPECT_EQ(tables(run, {.step = 2, .ranks = {0}}),
            "ring of series o, rank 0: who lives in which window\n"
            "step   | reach | slot 1 | beside the windows\n"
            "2 pass | 0     | 0 held |\n\n");
  EXPECT_EQ(tables(run, {.step = 0, .ranks = {0}}),
            "ring of series o, rank 0: who lives in which window\n"
            "step   | reach | slot 1 | beside the windows\n"
            "0 load | -     | 1 held |\n\n");
}

// Two look-aheads that loading puts there, before anything is reached, in two series of one model.
TEST(Rings, KnowWhatLoadingPutIntoEachWindowOfEachSeries) {
  TracedExecution run{.id = "ring", .candidate = "x", .execution = "warm", .world = "sim", .steps = {"load", "pass", "pass"}};
  run.series = {{"o", 2, {"blocks.0.o_proj", "blocks.1.o_proj", "blocks.2.o_proj", "blocks.3.o_proj"}},
                {"q", 1, {"blocks.0.q_proj", "blocks.1.q_proj", "blocks.2.q_proj"}}};
  const auto q = [](TracedEvent event) {
    event.layer.replace(event.layer.find(".o_"), 3, ".q_");
    return event;
  };
  run.ranks = {{1, {lies(0, 20), lies(1, 21), q(lies(0, 30)), step_end(0), reach(0, 1)}}};
  std::vector<TracedEvent>& events = run.ranks[0].events;
  events.push_back({.event = "collective", .text = "broadcast root 0 of all", .step = 1, .numel = 8, .value = 22});
  events.push_back(rings_read(0, 20));
  events.push_back(q(reach(0, 1)));
  events.push_back({.event = "collective", .text = "broadcast root 0 of all", .step = 1, .numel = 8, .value = 31});
  events.push_back(q(rings_read(0, 30)));
  events.push_back(reach(1, 1));
  events.push_back(rings_read(1, 21));
  run.ranks.push_back({0,
                       {{.event = "collective", .layer = "blocks.2.o_proj", .text = "broadcast root 0 of all", .step = 1, .numel = 8},
                        {.event = "collective", .layer = "blocks.1.q_proj", .text = "broadcast root 0 of all", .step = 1, .numel = 8}}});
  EXPECT_EQ(tables(run, {.step = 0, .ranks = {1}}),
            "ring of series o, rank 1: who lives in which window\n"
            "step   | reach | slot 0   | slot 1   | slot 2 | beside the windows\n"
            "0 load | -     | o.0 held | o.1 held | empty  |\n\n"
            "ring of series q, rank 1: who lives in which window\n"
            "step   | reach | slot 0   | slot 1 | beside the windows\n"
            "0 load | -     | q.0 held | empty  |\n\n");
  EXPECT_EQ(tables(run, {.step = 1, .ranks = {1}}),
            "ring of series o, rank 1: who lives in which window\n"
            "step   | reach | slot 0   | slot 1   | slot 2       | beside the windows\n"
            "1 pass | o.0   | o.0 read | o.1 held | o.2 arriving |\n"
            "       | o.1   | o.0 held | o.1 read | o.2 arriving |\n\n"
            "ring of series q, rank 1: who lives in which window\n"
            "step   | reach | slot 0   | slot 1       | beside the windows\n"
            "1 pass | q.0   | q.0 read | q.1 arriving |\n\n");
}

// A reload copies new weights into windows; a rank's own layer in a window is nobody's there.
TEST(Rings, FollowPointersWhereAReloadFillsWindows) {
  TracedExecution run = ring(2, 3);
  run.steps = {"load", "pass", "reload", "pass", "host_sync", "reload"};
  std::vector<TracedEvent>& events = run.ranks[0].events;
  begin_with(events, {lies(1, 10), lies(0, 11), step_end(0)});
  for (const TracedEvent& event :
       {lies(1, 11, 2), step_end(2), reach(0, 3), rings_read(1, 11, 3), step_end(3), step_end(4), step_end(5, "refused")})
    events.push_back(event);
  const std::string text = tables(run, {.ranks = {0}});
  EXPECT_NE(text.find("2 reload    | -     | 1 held | empty      |\n"), std::string::npos) << text;
  EXPECT_NE(text.find("3 pass      | 0     | 1 read | empty      |\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("5 reload"), std::string::npos) << text;
}

// In flight until somebody reads it, or the series or the host waits for it.
TEST(Rings, HoldWhatHasBeenWaitedFor) {
  for (const char* waits : {"host_sync", "drain"}) {
    TracedExecution run = ring(2, 3);
    run.steps = {"load", "pass", waits};
    run.ranks[0].events.push_back(step_end(2));
    const std::string before = tables(run, {.step = 1, .ranks = {0}}), behind = tables(run, {.step = 2, .ranks = {0}});
    EXPECT_NE(before.find("       | 2     | 0 arriving |"), std::string::npos) << before;
    EXPECT_NE(behind.find(fmt::format("2 {} | -     | 0 held |", waits)), std::string::npos) << behind;
    run.ranks[0].events.back().text = "it failed";
    EXPECT_EQ(tables(run, {.ranks = {0}}).find("held"), std::string::npos);
  }
}

// From where ranks issue other operations, numbers are of different ones: what a window gets is not known, and that is said.
TEST(Rings, MatchNothingBehindADifferenceBetweenRanks) {
  TracedExecution run = ring(2, 5);
  const std::string same = rings_text(run, {.ranks = {0}});
  EXPECT_NE(same.find("3 arriving"), std::string::npos) << same;
  EXPECT_EQ(same.find("differ"), std::string::npos) << same;
  std::vector<TracedEvent>& other = run.ranks[1].events;
  other.erase(other.begin() + 3, other.begin() + 6);  // its second reach
  const std::string text = rings_text(run, {.ranks = {0}});
  EXPECT_NE(text.find("ranks differ from operation 1 of all on: rank 0 issues broadcast root 0 of all of 0 bytes, rank 1 issues broadcast"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("| 1 arriving"), std::string::npos) << text;
  EXPECT_NE(text.find("| ? arriving"), std::string::npos) << text;
  EXPECT_EQ(text.find("3 arriving"), std::string::npos) << text;
  run = ring(2, 5);
  run.ranks[1].events.resize(6);  // it stops behind its second reach
  const std::string stopped = rings_text(run, {.ranks = {0}});
  EXPECT_NE(stopped.find("rank 1 issues 2 operations of all, rank 0 5: what the one would"), std::string::npos) << stopped;
  EXPECT_NE(stopped.find("| ? arriving"), std::string::npos) << stopped;
  run = ring(2, 5);
  run.ranks[1].events[4].numel = 8;  // as many operations, but not the same one
  const std::string larger = rings_text(run, {.ranks = {0}});
  EXPECT_NE(larger.find("ranks differ from operation 1"), std::string::npos) << larger;
  EXPECT_EQ(larger.find("3 arriving"), std::string::npos) << larger;
}

TEST(Rings, OfManyLayersRanksAndWindowsSayWhatTheyLeaveOut) {
  const std::string many = rings_text(ring(2, 61), {.most = 5, .ranks = {1}});
  EXPECT_NE(many.find("… and 56 more rows: --rows"), std::string::npos) << many;
  EXPECT_NE(rings_text(ring(16, 3), {}).find("series o: 12 more ranks left out: --ranks"), std::string::npos);
  TracedExecution wide = ring(2, 61);
  wide.series[0].prefetch = 59;
  int64_t storage = 0;
  for (TracedEvent& event : wide.ranks[0].events)
    if (event.event == "collective") event.value = ++storage;
  for (const size_t width : {120, 80, 40}) {
    const std::string cut = rings_text(wide, {.width = width});
    for (const std::string& line : lines(cut)) EXPECT_LE(columns(line), width) << line;
    EXPECT_NE(cut.find(" more slots: --width"), std::string::npos) << cut;
    EXPECT_NE(cut.find("| 1 arriving"), std::string::npos) << cut;
  }
}

// No host sees what a replay does.
TEST(Rings, OfGraphsTellNoTenants) {
  TracedExecution run = ring(2, 3);
  run.steps = {"load", "pass", "replay", "pass"};
  run.ranks[0].events.push_back(rings_read(1, 10, 2));
  run.ranks[0].events.push_back(reach(0, 3));
  const std::string text = rings_text(run, {.ranks = {0}});
  EXPECT_NE(text.find("2 replay | -     | ?          | fills and reads as it was captured\n3 pass   | 0     | ?          |\n"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace reloadlab::tests
