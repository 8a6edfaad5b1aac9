// compare and calibrate, on a machine without a GPU.
#include <gtest/gtest.h>

#include <cstring>

#include "tests/sim/cli/program_run.h"

namespace reloadlab::tests {
namespace {

constexpr const char* kTimedRing = R"(
reloadlab: 1
scenario: ring
about: Three layers and times.
system: shared_series
world: {kind: sim, ranks: [2]}
model:
  layers:
    - {name: "blocks.{0..2}.o", kind: replicated_linear, in: 4, out: 4}
series:
  - {name: o, layers: "blocks.{0..2}.o", prefetch: 0}
timing: {broadcast: 100, before: 10, after: 30}
checkpoints: {A: {synthetic: 1}}
steps:
  - load: A
  - repeat: {times: 2, steps: [{pass: {}}]}
)";

constexpr const char* kRates = R"({"kind": "rates", "rates": {"memory_bytes_per_s": 0, "flop_per_s": 0, "host_copy_bytes_per_s": 0,
 "link_bytes_per_s": 0, "kernel_start_ps": 0, "collective_start_ps": 2000000, "beside_percent": 100, "rested_percent": 100}})";

class Comparison : public ProgramTest {
 protected:
  Comparison() { write("scenarios/ring.yaml", kTimedRing); }
  static void expect(const Ran& ran, int exit_code, const std::string& in_out, const std::string& in_err) {
    EXPECT_EQ(ran.exit_code, exit_code) << ran.err << ran.out;
    EXPECT_NE(ran.out.find(in_out), std::string::npos) << ran.out;
    EXPECT_NE(ran.err.find(in_err), std::string::npos) << ran.err;
  }
};

TEST_F(Comparison, ARingIsTheSameWithBytesAndWithout) {
  expect(reloadlab("compare --worlds meta,sim"), 0, "ring  shared_series@hardened  agrees\n", "2 agree, 0 differ, 0 not compared\n");
}

// Of three layers a rank waits for each broadcast of 2 us, without look-ahead.
TEST_F(Comparison, RatesOfAFileSayWhatIsPredicted) {
  write("rates.json", kRates);
  expect(reloadlab("compare --worlds meta,sim --rates rates.json --candidate shared_series@hardened"), 0,
         "exposed wait  6.0 us meta, 6.0 us sim", "");
}

TEST_F(Comparison, LayersAloneAreTheSameOnTheCpuAndOnModelledDevices) {
  small_scenario();
  expect(reloadlab("compare --worlds cpu,sim --name small"), 0, "sequence", "4 agree, 0 differ");
}

TEST_F(Comparison, ASeriesNeedsDevices) {
  expect(reloadlab("compare --worlds cpu,sim --name ring"), 4, "cpu: series need devices", "0 agree, 0 differ, 2 not compared");
}

TEST_F(Comparison, WithoutAGpuNothingIsComparedOrMeasured) {
  expect(reloadlab_with("CUDA_VISIBLE_DEVICES=", "compare --worlds sim,cuda"), 4, "cuda: no GPU here", "2 not compared");
  expect(reloadlab_with("CUDA_VISIBLE_DEVICES=", "calibrate"), 4, "", "nothing ran: no GPU here");
}

TEST_F(Comparison, WrongQuestionsAreUsage) {
  expect(reloadlab("compare --worlds sim"), 64, "", "expected two worlds that differ");
  expect(reloadlab("compare --worlds sim,sim"), 64, "", "expected two worlds that differ");
  expect(reloadlab("compare --worlds sim,cudda"), 64, "", "did you mean \"cuda\"?");
  expect(reloadlab("compare --worlds meta,sim --rates h300"), 64, "", "neither h100, h200 nor free, nor a file");
}

TEST_F(Comparison, AFileWithoutRatesIsBadData) {
  write("rates.json", "{}");
  expect(reloadlab("compare --worlds meta,sim --rates rates.json"), 65, "", "expected what `reloadlab calibrate` writes");
  for (const auto& [name, wrong] : {std::pair{"beside_percent", "99"}, {"rested_percent", "101"}}) {
    std::string rates = kRates;
    rates.replace(rates.find(name) + std::strlen(name) + std::strlen("\": "), std::strlen("100"), wrong);
    write("rates.json", rates);
    expect(reloadlab("compare --worlds meta,sim --rates rates.json"), 65, "", name);
  }
  write("rates.json", R"({"kind": "rates", "rates": {"flop_per_s": "much"}})");
  expect(reloadlab("compare --worlds meta,sim --rates rates.json"), 65, "", "memory_bytes_per_s");
}

}  // namespace
}  // namespace reloadlab::tests
