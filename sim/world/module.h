#pragma once
// Worlds that come as modules of their own, opened when they are asked for.
#include "sim/world/world.h"

namespace reloadlab::sim {

// What a module exports by the name reloadlab_make_world. Throws c10::Error.
using ModuleMaker = World* (*)(const WorldRequest& request);

// From libreloadlab_<world>.so, which lies beside the program. Code::unsupported where it is missing or cannot be opened, and why.
Result<std::unique_ptr<World>> make_from_module(const WorldRequest& request);

// Versions of what the world cuda stands on: as it was built with, and as it found them. 13000 is CUDA 13.0, 22809 is NCCL 2.28.9.
struct CudaVersions {
  int cuda_built = 0, cuda = 0;
  int nccl_built = 0, nccl = 0;
};
using VersionsTeller = CudaVersions (*)();
// Opens the module; needs no GPU. Code::unsupported where it cannot be opened, and why.
Result<CudaVersions> cuda_versions();

struct Calibration {
  modelled::Rates rates;
  int gpus = 0;  // that took part: of one alone, links and what goes on beside collectives are not known
};
// What things take on the GPUs here. `known`: where nothing is measured. Code::unsupported where the module cannot be opened, Code::failed
// where a device fails.
Result<Calibration> calibrate(const modelled::Rates& known);
using Calibrator = int (*)(modelled::Rates& rates);

// This process holds memory of the GPU for another one, which is at the other end of kHolderSocket (holder.h), until that is gone.
// Code::unsupported where the module cannot be opened, and why.
Status hold_memory(int device);
using MemoryHolder = void (*)(int device);

}  // namespace reloadlab::sim

extern "C" {
reloadlab::sim::World* reloadlab_make_world(const reloadlab::sim::WorldRequest& request);
reloadlab::sim::CudaVersions reloadlab_cuda_versions();
void reloadlab_hold_memory(int device);
int reloadlab_calibrate(reloadlab::sim::modelled::Rates& rates);  // how many GPUs took part. Throws c10::Error
}
