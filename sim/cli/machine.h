#pragma once
// What this machine has for a run, and in which versions.
#include <string>
#include <vector>

#include "sim/campaign/engine.h"
#include "sim/world/gpus.h"
#include "sim/world/module.h"

namespace reloadlab::sim {

struct Machine {
  std::string processor;  // "AMD EPYC 9B14"
  unsigned processors = 0;
  TorchFound torch;
  Gpus gpus;
  Result<CudaVersions> versions;  // not ok: why the world cuda cannot be opened
  std::string toolkit;            // "13.0", of the nvcc that is found; empty where there is none
};

Machine look_at_machine();
// For files beside results.
std::string machine_json(const Machine& machine);
// "GPU 0: NVIDIA H100 80GB HBM3, 79.6 GiB, compute capability 9.0" for each, or one line that says why there is none.
std::string devices_text(const Gpus& gpus);

// One row of what `doctor` says.
struct Examined {
  enum class State { ok, none, missing, wrong } state = State::ok;  // none: absent, and only some runs need it
  std::string what, says;
};
std::vector<Examined> examine_machine(const Machine& machine);

}  // namespace reloadlab::sim
