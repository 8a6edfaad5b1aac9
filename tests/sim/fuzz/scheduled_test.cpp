// What delays do to a case on modelled devices: races that turns do not show in bytes are shown by other schedules.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/fuzz/observe.h"
#include "tests/mutants/wrong.h"
#include "tests/sim/fuzz/small_ring.h"

namespace reloadlab::sim::fuzz {
namespace {

const Engine& engine() {
  static const Engine engine = [] {
    mutants::register_mutants();
    return built_in_engine();
  }();
  return engine;
}

// Judged by what ranks read alone: the law of order sees races in any schedule.
Case ring(std::optional<uint64_t> delays, Pass::Stream stream) {
  Case the_case = ring_of_four(1);
  the_case.checkpoints = {{"A", {.seed = 1}}};
  Step pass{.kind = StepKind::pass};
  pass.pass.stream = stream;
  the_case.steps = {{.kind = StepKind::load, .plan = {.checkpoint = "A"}}, pass, pass};
  the_case.laws = {"ring_content"};
  the_case.delays = delays;
  return the_case;
}

bool fails(const std::string& candidate, std::optional<uint64_t> delays) {
  const Observation seen = observe(ring(delays, Pass::Stream::unjoined), candidate, engine());
  EXPECT_EQ(seen.end, End::judged) << seen.reason;
  return !seen.failed.empty();
}

// Seeds of random schedules, of those of some depth, and of every one that differs.
TEST(Scheduled, EachWayShowsWhatTurnsDoNot) {
  for (const std::string mutant : {"mutant@ring_no_wait", "mutant@ring_other_stream"}) {
    EXPECT_FALSE(fails(mutant, {})) << mutant;
    for (const uint64_t delays : {3, 4, 5}) EXPECT_TRUE(fails(mutant, delays)) << mutant << " " << delays;
  }
}

TEST(Scheduled, OfWhatIsInOrderShowsNothing) {
  for (const uint64_t delays : {3, 4, 5}) EXPECT_FALSE(fails("shared_series@hardened", delays)) << delays;
}

// What is reported is the schedule that broke the law, with the case as it was written.
TEST(Scheduled, TheEvidenceIsOfTheScheduleThatBreaksALaw) {
  const Result<Evidence> evidence = engine().replay(ring(3, Pass::Stream::unjoined), "mutant@ring_no_wait", {});
  ASSERT_TRUE(evidence.ok());
  EXPECT_EQ(evidence->the_case.delays, 3);
  const auto verdicts = engine().judge(*evidence);
  EXPECT_TRUE(std::ranges::any_of(verdicts, [](const Verdict& verdict) { return verdict.outcome == Outcome::fail; }));
}

}  // namespace
}  // namespace reloadlab::sim::fuzz
