// What becomes of processes: those that a run starts, and those of which it is one.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/sim/cli/program_run.h"

namespace reloadlab::tests {
namespace {

class Processes : public ProgramTest {};

// Whether the worker has told the system yet that it is to die with its campaign, or is still loading its libraries.
TEST_F(Processes, DieWithTheirCampaign) {
  small_scenario();
  for (const char* after : {"0", "0.2", "3"}) {
    const Ran ran = script(fmt::format(R"(
"$NAUGHTY" run --ranks 1 --isolate --candidate naughty@loop --law cold_load_equal >/dev/null 2>&1 &
campaign=$!
for i in $(seq 400); do worker=$(cat /proc/$campaign/task/$campaign/children); [ -n "$worker" ] && break; sleep 0.02; done
worker=${{worker%% *}}
sleep {}
kill -9 $campaign
lives() {{ [ -n "$worker" ] && state=$(sed 's/.*) //' /proc/$worker/stat 2>/dev/null) && [ "${{state%% *}}" != Z ]; }}
for i in $(seq 400); do lives || break; sleep 0.02; done
lives && echo "worker $worker lives" && kill -9 $worker
[ -n "$worker" ] && echo "there was one"
)",
                                       after));
    EXPECT_EQ(ran.out, "there was one\n") << after << ran.err;
  }
}

// The loader then knows the program by its name alone.
TEST_F(ProgramTest, FindsItsModulesWhereItWasFoundOnPath) {
  const Ran ran = script(
      fmt::format(R"(PATH=$(dirname "$RELOADLAB"):$PATH LD_LIBRARY_PATH={}:$LD_LIBRARY_PATH FAKE_GPUS=1 reloadlab doctor)", FAKE_DRIVER));
  EXPECT_NE(ran.out.find("NCCL          2."), std::string::npos) << ran.out << ran.err;
}

class LaunchedRuns : public ProgramTest {
 protected:
  // What rank 0 prints, and the exit codes of all. `told`: of how many ranks each is told, by its number.
  Ran launch(int ranks, const std::string& arguments, const std::string& told = "{0}") {
    return script(fmt::format(R"(
for ((rank = 0; rank < {0}; rank++)); do
  LD_LIBRARY_PATH={1}:$LD_LIBRARY_PATH FAKE_GPUS=2 RANK=$rank LOCAL_RANK=$rank WORLD_SIZE=$(({4})) MASTER_ADDR=127.0.0.1 MASTER_PORT={2} \
    "$RELOADLAB" run {3} >$rank.out 2>$rank.err &
  processes[rank]=$!
done
for process in ${{processes[@]}}; do wait $process; printf '%s ' $?; done
cat 0.out 0.err 1.err >&2
)",
                              ranks, FAKE_DRIVER, 20000 + ::getpid() % 20000, arguments, fmt::format(fmt::runtime(told), ranks)));
  }

  void ring() {
    write("scenarios/ring.yaml",
          "reloadlab: 1\nscenario: ring\nabout: A pass.\nsystem: shared_series\nworld: {kind: sim, ranks: [2, 3]}\n"
          "model: {layers: [{name: \"blocks.{0..2}.o\", kind: replicated_linear, in: 4, out: 4}]}\n"
          "series: [{name: o, layers: \"blocks.{0..2}.o\"}]\ncheckpoints: {A: {synthetic: 1}}\nsteps: [{load: A}, {pass: {}}]\n");
  }
};

TEST_F(LaunchedRuns, EndWithOneCodeAndSayWhatTheyCannotPlay) {
  ring();
  const Ran ran = launch(2, "--on cuda --candidate shared_series@hardened");
  EXPECT_EQ(ran.out, "4 4 ") << ran.err;
  EXPECT_NE(read("out/latest/result.json").find("its 3 ranks talk, each in a process of its own, and 2 were started (WORLD_SIZE)"),
            std::string::npos)
      << ran.err;
}

TEST_F(LaunchedRuns, EndWithOneCodeWhereNothingCanBeRead) {
  write("scenarios/bad.yaml", "reloadlab: 1\nscenari: bad\n");
  const Ran ran = launch(2, "--on cuda");
  EXPECT_EQ(ran.out, "65 65 ") << ran.err;
}

TEST_F(LaunchedRuns, AreRefusedWhereTheyWereToldOfOtherNumbers) {
  ring();
  const Ran ran = launch(2, "--on cuda", "{0} + rank");
  EXPECT_EQ(ran.out, "64 64 ") << ran.err;
  EXPECT_NE(ran.err.find("WORLD_SIZE is 2 for rank 0, and 3 for rank 1"), std::string::npos) << ran.err;
}

TEST_F(LaunchedRuns, AreRefusedWhereTheirPortIsTaken) {
  const Ran ran = script(R"(
cat >taken.py <<END
import socket, time
taken = socket.create_server(("127.0.0.1", 0))
print(taken.getsockname()[1], flush=True)
time.sleep(60)
END
python3 taken.py >port &
while [ ! -s port ]; do sleep 0.02; done
RANK=0 LOCAL_RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=$(cat port) "$RELOADLAB" run --on cuda >/dev/null
printf '%s' $?
kill $!
)");
  EXPECT_EQ(ran.out, "64") << ran.err;
  EXPECT_NE(ran.err.find("MASTER_ADDR and MASTER_PORT: the store at 127.0.0.1:"), std::string::npos) << ran.err;
}

TEST_F(LaunchedRuns, AreRunsOfTheirOwnWhereNoGpuIsAskedFor) {
  small_scenario();
  const Ran ran = launch(2, "--candidate layerwise@hardened --out out$rank");
  EXPECT_EQ(ran.out, "0 0 ") << ran.err;
}

TEST_F(LaunchedRuns, RefuseWhatIsNotForThem) {
  small_scenario();
  EXPECT_EQ(launch(2, "--on cuda --jobs 2").out, "64 64 ");
  const Ran ran = reloadlab_with("RANK=0 WORLD_SIZE=2 LOCAL_RANK=0 MASTER_ADDR=127.0.0.1", "run --on cuda");
  EXPECT_EQ(ran.exit_code, 64);
  EXPECT_NE(ran.err.find("RANK is set, and so must MASTER_PORT be"), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace reloadlab::tests
