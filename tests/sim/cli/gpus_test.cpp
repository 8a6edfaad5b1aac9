// What the program says of GPUs, with a driver that says what a test wants.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/sim/cli/program_run.h"

namespace reloadlab::tests {
namespace {

class OnGpus : public ProgramTest {
 protected:
  Ran with(const std::string& variables, const std::string& arguments) const {
    return reloadlab_with(fmt::format("LD_LIBRARY_PATH=" FAKE_DRIVER " {}", variables), arguments);
  }
  Ran devices(const std::string& variables) const { return with(variables, "run --list-devices"); }

  void cuda_scenario(const std::string& world, const std::string& needs) {
    write("scenarios/layerwise/small.yaml",
          fmt::format("reloadlab: 1\nscenario: small\nabout: One layer. LW6.\nsystem: layerwise\nrequires: {}\nworld: {}\n"
                      "model:\n  dtype: f32\n  layers:\n    - {{name: up, kind: column_parallel_linear, in: 4, out: 6}}\n"
                      "checkpoints: {{A: {{synthetic: 1}}, B: {{synthetic: 2}}}}\nsteps:\n  - load: A\n  - reload: B\n",
                      needs, world));
  }
  nlohmann::json results(const Ran& ran) const {
    return nlohmann::json::parse(read(ran.out.substr(0, ran.out.find('\n')) + "/result.json"))["results"];
  }
  // Why the case does not run on what the driver tells of.
  std::string reason(const std::string& variables, const std::string& needs) {
    cuda_scenario("{kind: cuda}", needs);
    const Ran ran = with(variables, "run --candidate layerwise@hardened");
    EXPECT_EQ(ran.exit_code, 4) << ran.out << ran.err;
    return results(ran)[0]["reason"];
  }
};

TEST_F(OnGpus, ListDevicesNamesThem) {
  const Ran ran = devices("FAKE_GPUS=2");
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out,
            "GPU 0: NVIDIA Fake 80GB, 80.0 GiB, compute capability 8.6\nGPU 1: NVIDIA Fake 80GB, 80.0 GiB, compute capability 8.6\n");
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
}

TEST_F(OnGpus, ListDevicesSaysWhyThereIsNone) {
  EXPECT_EQ(devices("FAKE_GPUS=0").out, "no GPU here: the driver 580.1 knows none\n");
  EXPECT_EQ(devices("FAKE_GPUS=broken").out, "no GPU here: NVML does not start: Driver Not Loaded\n");
  EXPECT_EQ(devices("FAKE_GPUS=0").exit_code, 4);
}

TEST_F(OnGpus, OnlyThoseThatCudaShowsAreThere) {
  const auto count = [&](const std::string& variables) {
    const Ran ran = devices(variables);
    return ran.exit_code == 0 ? std::count(ran.out.begin(), ran.out.end(), '\n') : 0;
  };
  EXPECT_EQ(count("FAKE_GPUS=3 CUDA_VISIBLE_DEVICES=2"), 1);
  EXPECT_EQ(count("FAKE_GPUS=3 CUDA_VISIBLE_DEVICES=GPU-1,0"), 2);
  EXPECT_EQ(count("FAKE_GPUS=3 CUDA_VISIBLE_DEVICES=0,7,1"), 1);  // nothing behind the first that is not there
  EXPECT_EQ(count("FAKE_GPUS=3 CUDA_VISIBLE_DEVICES="), 0);
  EXPECT_EQ(count("FAKE_GPUS=3 CUDA_VISIBLE_DEVICES=MIG-6,MIG-7"), 1);  // CUDA shows a process one part of a GPU
  EXPECT_EQ(devices("CUDA_VISIBLE_DEVICES=MIG-5").out, "no GPU here: CUDA_VISIBLE_DEVICES=\"MIG-5\" leaves none of 1\n");
  EXPECT_EQ(devices("FAKE_GPUS=3 CUDA_VISIBLE_DEVICES=-1").out, "no GPU here: CUDA_VISIBLE_DEVICES=\"-1\" leaves none of 3\n");
}

TEST_F(OnGpus, WhatACaseRequiresIsChecked) {
  EXPECT_EQ(reason("", "{gpus: 2}"), "needs 2 GPUs; there is 1 here");
  EXPECT_EQ(reason("", "{vram_gib: 81}"), "needs 81 GiB; GPU 0 is NVIDIA Fake 80GB, 80.0 GiB, compute capability 8.6");
  EXPECT_TRUE(reason("", "{compute_capability: 9.0}").starts_with("needs compute capability 9.0; GPU 0 is NVIDIA Fake 80GB"));
  EXPECT_TRUE(reason("", "{feature: fp8}").starts_with("needs fp8; GPU 0 is NVIDIA Fake 80GB"));
  EXPECT_EQ(reason("", "{feature: peer_access}"), "needs peer_access; there is 1 GPU here");
  EXPECT_EQ(reason("FAKE_GPUS=2 FAKE_STRANGERS=1", "{feature: peer_access}"),
            "needs peer_access; GPUs 0 and 1 do not read each other's memory");
  EXPECT_EQ(reason("FAKE_GPUS=0", "{}"), "no GPU here: the driver 580.1 knows none");
}

TEST_F(OnGpus, WhatIsThereIsNotMissed) {
  cuda_scenario("{kind: cuda}", "{gpus: 2, vram_gib: 80, compute_capability: 8.6, feature: peer_access}");
  const Ran ran = with("FAKE_GPUS=2", "run");
  EXPECT_EQ(ran.out.find("needs "), std::string::npos) << ran.out;  // what comes next is CUDA's word: no driver stands behind this one
  EXPECT_EQ(results(ran)[0].value("reason", "").find("needs "), std::string::npos);
}

TEST_F(OnGpus, OtherWorldsHaveNone) {
  cuda_scenario("{kind: cpu}", "{gpus: 1, feature: fp8}");
  const Ran ran = with("", "run");
  EXPECT_EQ(ran.exit_code, 4);
  EXPECT_EQ(results(ran)[0]["reason"], "needs 1 GPU, fp8; GPUs are driven in the world cuda");
}

TEST_F(OnGpus, CasesForCudaAreSelectedByTheirWorldAndByWhereTheyArePlayed) {
  cuda_scenario("{kind: [cpu, sim, cuda]}", "{}");
  for (const char* arguments : {"run --world cuda", "run --on cuda"}) {
    const Ran ran = with("FAKE_GPUS=0", arguments);
    EXPECT_EQ(ran.exit_code, 4) << ran.err;
    const auto all = results(ran);
    ASSERT_EQ(all.size(), 2u) << arguments;  // two candidates
    EXPECT_EQ(all[0]["case"], "small[world=cuda]");
  }
  EXPECT_EQ(results(with("", "run --world cpu"))[0]["case"], "small[world=cpu]");
}

TEST_F(OnGpus, DoctorSaysWhatDisagreesAndWhatToDo) {
  small_scenario();
  write("models/none", "");
  const Ran fine = with("FAKE_GPUS=2 RELOADLAB_CACHE=.", "doctor");
  EXPECT_EQ(fine.exit_code, 0) << fine.out;
  EXPECT_NE(fine.out.find("GPU 1         NVIDIA Fake 80GB"), std::string::npos) << fine.out;
  EXPECT_NE(fine.out.find("among all 2 GPUs"), std::string::npos) << fine.out;
  EXPECT_NE(fine.out.find("topology      NVLink between all GPUs"), std::string::npos) << fine.out;
  const Ran islands = with("FAKE_GPUS=4 FAKE_ISLANDS=2 RELOADLAB_CACHE=.", "doctor");
  EXPECT_NE(islands.out.find("NVLink between 0 and 1, 2 and 3; a host bridge between 0 and 2, 1 and 3; "
                             "the link of NUMA nodes between 0 and 3, 1 and 2"),
            std::string::npos)
      << islands.out;
  const Ran apart = with("FAKE_GPUS=2 FAKE_STRANGERS=1 RELOADLAB_CACHE=.", "doctor");
  EXPECT_EQ(apart.exit_code, 0) << apart.out;
  EXPECT_NE(apart.out.find("none  peer access   GPUs 0 and 1 do not read each other's memory"), std::string::npos) << apart.out;
  const Ran none = with("FAKE_GPUS=0 RELOADLAB_CACHE=.", "doctor");
  EXPECT_EQ(none.exit_code, 0) << none.out;
  EXPECT_NE(none.out.find("no GPU here: the driver 580.1 knows none"), std::string::npos) << none.out;
}

TEST_F(OnGpus, DoctorFindsADriverThatIsTooOld) {
  small_scenario();
  write("models/none", "");
  const Ran old = with("FAKE_CUDA=12040 RELOADLAB_CACHE=.", "doctor");
  EXPECT_EQ(old.exit_code, 1) << old.out;  // with a LibTorch without CUDA it is that which is wrong
  const bool no_cuda = old.out.find("world cuda") != std::string::npos;
  EXPECT_TRUE(no_cuda || old.out.find("the driver 580.1 runs 12.4 and older: install a newer driver") != std::string::npos) << old.out;
}

TEST_F(OnGpus, DoctorTellsTheMachineAsJson) {
  const auto machine = nlohmann::json::parse(with("", "doctor --json").out);
  EXPECT_EQ(machine["gpus"][0]["compute_capability"], "8.6");
  EXPECT_EQ(machine["gpus"][0]["memory_bytes"], int64_t{80} << 30);
  EXPECT_EQ(machine["driver"], "580.1");
}

}  // namespace
}  // namespace reloadlab::tests
