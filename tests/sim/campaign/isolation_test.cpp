#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "sim/campaign/frame.h"
#include "sim/campaign/messages.h"
#include "sim/campaign/runner.h"
#include "tests/sim/campaign/fake_engine.h"
#include "tests/sim/campaign/fixture.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

class Isolated : public CampaignTest {
 protected:
  Isolated() { options.isolation = Isolation::workers; }
};

std::string results_of(const RunResult& run) {
  auto json = nlohmann::ordered_json::parse(read_file(run.run.folder + "/result.json"));
  return json["results"].dump(1);
}

TEST_F(Isolated, SaysWhatItSaysInOneProcess) {
  options.silence_seconds = 60;  // nobody hangs here, and the machine may be busy
  scenario("small");
  scenario("other");
  const RunResult workers = run({"fake@good", "fake@bad", "fake@unsure", "fake@no_data", "fake@not_here"});
  options.isolation = Isolation::per_case;
  const RunResult per_case = run({"fake@good", "fake@bad", "fake@unsure", "fake@no_data", "fake@not_here"});
  options.isolation = Isolation::none;
  const RunResult here = run({"fake@good", "fake@bad", "fake@unsure", "fake@no_data", "fake@not_here"});
  options.jobs = 3;
  const RunResult side_by_side = run({"fake@good", "fake@bad", "fake@unsure", "fake@no_data", "fake@not_here"});
  EXPECT_EQ(results_of(workers), results_of(here));
  EXPECT_EQ(results_of(per_case), results_of(here));
  EXPECT_EQ(results_of(side_by_side), results_of(here));
  EXPECT_EQ(read_file(workers.run.folder + "/trace.jsonl"), read_file(here.run.folder + "/trace.jsonl"));
  EXPECT_EQ(read_file(side_by_side.run.folder + "/trace.jsonl"), read_file(here.run.folder + "/trace.jsonl"));
}

struct Death {
  std::string candidate, what;
  State state;
};

void PrintTo(const Death& death, std::ostream* out) { *out << death.candidate; }

class Dying : public Isolated, public testing::WithParamInterface<Death> {};

TEST_P(Dying, CostsOneCaseAndNamesTheStep) {
  scenario("small");
  const RunResult result = run({"fake@good", GetParam().candidate});
  ASSERT_EQ(result.cases.size(), 4u);
  for (const char* variant : {"ranks=1", "ranks=2"}) {
    EXPECT_EQ(law_of(result, "fake@good", "law_a", variant).state, State::pass);
    const LawResult law = law_of(result, GetParam().candidate, "survives", variant);
    EXPECT_EQ(law.state, GetParam().state);
    ASSERT_TRUE(law.finding);
    EXPECT_NE(law.finding->what.find(GetParam().what), std::string::npos) << law.finding->what;
    EXPECT_EQ(law.finding->execution, "warm");
    EXPECT_EQ(law.finding->step, 1);
    EXPECT_EQ(law.step_text, "reload to B");
  }
  EXPECT_EQ(exit_code(result), GetParam().state == State::hang ? Exit::hang : Exit::failed);
}

INSTANTIATE_TEST_SUITE_P(Ways, Dying,
                         testing::Values(Death{"fake@crash", "killed by signal 11 (SIGSEGV)", State::fail},
                                         Death{"fake@abort", "killed by signal 6 (SIGABRT)", State::fail},
                                         Death{"fake@exit", "left with exit code 3", State::fail},
                                         Death{"fake@nonsense", "no message", State::fail},
                                         Death{"fake@lies", "does not hold together", State::fail},
                                         Death{"fake@loop", "no step began for 2 s", State::hang}),
                         [](const auto& death) { return death.param.candidate.substr(5); });

TEST(Workers, RanksThatMeetOnDevicesHaveThemToThemselves) {
  Case meeting{.world = WorldKind::cuda, .ranks = 2, .steps = {{.kind = StepKind::load}}};
  meeting.series.push_back({.name = "ring", .layers = {"up"}});
  const Case other{.ranks = 2, .steps = {{.kind = StepKind::load}}};
  std::vector<Job> jobs;
  for (int i = 0; i < 6; ++i) {
    jobs.push_back({.the_case = meeting, .candidate = "fake@meets"});
    jobs.push_back({.the_case = other, .candidate = "fake@good"});
  }
  const auto runner = run_in_workers(fake_engine(), {.command = {"/proc/self/exe", "worker"}, .workers = 3});
  std::vector<size_t> met;
  size_t answers = 0;
  const Status status = runner->run(
      jobs, [](const Job&) { return std::string(); },
      [&](size_t index, const Answer& answer) {
        EXPECT_EQ(answer.result.end, End::judged) << answer.result.reason;
        if (index % 2 == 0) met.push_back(index);
        return ++answers > 0;
      });
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(answers, jobs.size());
  EXPECT_EQ(met, (std::vector<size_t>{0, 2, 4, 6, 8, 10}));
}

// The number of the process that fake@named was played in, which its last event tells.
int64_t process_of(const Answer& answer) {
  const size_t event = answer.trace.rfind("{\"clock\"");
  const std::string line = answer.trace.substr(event, answer.trace.find('\n', event) - event);
  return nlohmann::json::parse(line).value("value", int64_t{-1});
}

TEST(Workers, StayFromOneRunToTheNextUntilTheyDie) {
  const Case one{.steps = {{.kind = StepKind::load}, {.kind = StepKind::reload}}};
  const Job named{.the_case = one, .candidate = "fake@named"}, crash{.the_case = one, .candidate = "fake@crash"};
  const Engine engine = fake_engine();
  const auto runner = run_in_workers(engine, {.command = {"/proc/self/exe", "worker"}});
  std::vector<int64_t> processes;
  std::vector<End> ends;
  for (const Job* job : {&named, &named, &crash, &named})
    ASSERT_TRUE(runner
                    ->run(
                        {job, 1}, [](const Job&) { return std::string(); },
                        [&](size_t, const Answer& answer) {
                          if (job == &named) processes.push_back(process_of(answer));
                          ends.push_back(answer.result.end);
                          return false;
                        })
                    .ok());
  EXPECT_EQ(ends, std::vector<End>(4, End::judged));
  ASSERT_EQ(processes.size(), 3u);
  EXPECT_GT(processes[0], 0);
  EXPECT_EQ(processes[1], processes[0]);
  EXPECT_NE(processes[2], processes[0]);
}

TEST(Workers, WhatWasDroppedUnderWayIsOfThatRunAlone) {
  const Case one{.steps = {{.kind = StepKind::load}, {.kind = StepKind::reload}}};
  std::vector<Job> jobs(7, {.the_case = one, .candidate = "fake@good"});
  jobs.front().candidate = "fake@loop";
  const Engine engine = fake_engine();
  const auto runner = run_in_workers(engine, {.command = {"/proc/self/exe", "worker"}, .workers = 2, .silence_seconds = 2});
  std::vector<State> survived;
  for (const size_t count : {7, 1}) {  // the second time without the one that is still looping
    size_t answers = 0;
    const auto take = [&](size_t, const Answer& answer) {
      survived.push_back(std::ranges::find(answer.result.laws, kSurvives, &LawResult::law)->state);
      return ++answers + 1 < count;
    };
    ASSERT_TRUE(runner
                    ->run(
                        std::span(jobs).last(count), [](const Job&) { return std::string(); }, take)
                    .ok());
  }
  EXPECT_EQ(survived, std::vector<State>(7, State::pass));
}

// A process has one of LibTorch's allocators, for good.
TEST(Workers, EachAllocatorOfGpusHasProcessesOfItsOwn) {
  std::vector<Job> jobs;
  for (const GpuAllocator allocator : {GpuAllocator::native, GpuAllocator::native, GpuAllocator::expandable_segments, GpuAllocator::native})
    jobs.push_back(
        {.the_case = {.world = WorldKind::cuda, .allocator = allocator, .steps = {{.kind = StepKind::load}}}, .candidate = "fake@named"});
  const auto runner = run_in_workers(fake_engine(), {.command = {"/proc/self/exe", "worker"}});
  std::vector<int64_t> processes;
  const auto keep = [&](size_t, const Answer& answer) {
    processes.push_back(process_of(answer));
    return true;
  };
  ASSERT_TRUE(runner
                  ->run(
                      jobs, [](const Job&) { return std::string(); }, keep)
                  .ok());
  ASSERT_EQ(processes.size(), 4u);
  EXPECT_GT(processes[0], 0);
  EXPECT_EQ(processes[1], processes[0]);
  EXPECT_NE(processes[2], processes[1]);
  EXPECT_NE(processes[3], processes[2]);
}

TEST_F(Isolated, AThrowInTheHarnessIsADefectAndOtherCasesGoOn) {
  scenario("small");
  const RunResult result = run({"fake@broken", "fake@good"});
  EXPECT_EQ(result.cases[0].end, End::defect);
  EXPECT_EQ(result.cases[0].reason, "the harness slipped");
  EXPECT_EQ(law_of(result, "fake@good", "law_a").state, State::pass);
}

TEST_F(Isolated, WhatADefectLeftOfAWorkerServesNoOtherCase) {
  scenario("small");
  const RunResult result = run({"fake@lost", "fake@good"});
  ASSERT_EQ(result.cases.size(), 4u);
  for (const CaseResult& one : result.cases) EXPECT_EQ(one.end, one.candidate == "fake@lost" ? End::defect : End::judged) << one.reason;
}

TEST_F(Isolated, WorkersThatDoNotComeUpAreAnError) {
  scenario("small");
  options.worker_command = {"/bin/true"};
  EXPECT_NE(try_run({"fake@good"}).status().message().find("do not come up"), std::string::npos);
  options.worker_command = {"/no/such/program"};
  EXPECT_NE(try_run({"fake@good"}).status().message().find("/no/such/program"), std::string::npos);
}

TEST_F(Isolated, FailFastDropsWhatIsUnderWay) {
  scenario("small");
  options.fail_fast = true;
  options.jobs = 2;
  const RunResult result = run({"fake@crash", "fake@loop"});
  EXPECT_EQ(exit_code(result), Exit::failed);
  EXPECT_EQ(result.cases.back().end, End::skipped);
}

TEST(Frames, AreCutWhereverTheBytesBreak) {
  const std::string bytes =
      frame_bytes(FrameKind::step, "one") + frame_bytes(FrameKind::evidence, std::string("\0two", 4)) + frame_bytes(FrameKind::waiting, "");
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    FrameReader reader;
    std::vector<Frame> frames;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      reader.feed(std::string_view(bytes).substr(at, piece));
      for (auto frame = reader.next(); frame.ok() && frame->has_value(); frame = reader.next()) frames.push_back(**frame);
    }
    ASSERT_EQ(frames.size(), 3u) << piece;
    EXPECT_EQ(frames[1].body, std::string("\0two", 4));
    EXPECT_EQ(frames[2].kind, FrameKind::waiting);
  }
}

TEST(Frames, NonsenseAndGreedAreRefused) {
  FrameReader nonsense, greedy;
  nonsense.feed("hello, world");
  EXPECT_FALSE(nonsense.next().ok());
  greedy.feed("E\xff\xff\xff\xff\xff\xff\xff\xff");
  EXPECT_FALSE(greedy.next().ok());
}

TEST(Messages, ReadBackAndRefuseTheRest) {
  Job job{.the_case = {.scenario = "x", .file = "x.yaml", .variant = "ranks=2"}, .candidate = "fake@good", .prove_determinism = true};
  job.the_case.seed = ~uint64_t{0};
  job.the_case.ranks = 2;
  const auto read = parse_job(job_text({job, true}));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(job_text(*read), job_text({job, true}));
  EXPECT_EQ(read->job.the_case.seed, job.the_case.seed);
  const auto step = parse_step(step_message_text({"order 2", 1, 3}));
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(step->step, 3);
  const Status status = parse_status(status_text(Status(Code::data, "a\nb")));
  EXPECT_EQ(status.code(), Code::data);
  EXPECT_EQ(status.message(), "a\nb");
  for (const char* text : {"", "{", "[]", "{}", R"({"step": "x"})"}) {
    EXPECT_FALSE(parse_job(text).ok());
    EXPECT_FALSE(parse_step(text).ok());
    EXPECT_FALSE(parse_answer(text).ok());
    EXPECT_FALSE(parse_status(text).ok());
  }
}

}  // namespace
}  // namespace reloadlab::tests
