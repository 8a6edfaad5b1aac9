#pragma once
// All that a plug-in includes: the contract (candidate.h), the model (layer.h), tensors and communicators, and the macro that makes a
// shared library a candidate. What it calls of these is the program's, found when the library is opened; it links LibTorch and nothing of
// reloadlab.
#include <ATen/ATen.h>
#include <torch/version.h>

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "reference/model/guard.h"
#include "reference/model/post_load.h"
#include "sim/candidate/candidate.h"
#include "sim/candidate/plugin_abi.h"

// The CMake package says it, by the target's CUDA_RUNTIME_LIBRARY; whoever links a static runtime in another way defines it as "static".
#ifndef RELOADLAB_CUDA_RUNTIME
#define RELOADLAB_CUDA_RUNTIME "none"
#endif

// Once in a plug-in, outside of any namespace: RELOADLAB_CANDIDATE("layerwise", "fast safe", make), with
// reloadlab::Result<reloadlab::sim::CandidateInfo> make(const std::string& profile). No function of the header fills this in: the program
// may have it too, and its own would be called.
#define RELOADLAB_CANDIDATE(system_name, profile_names, make_function)                                \
  extern "C" __attribute__((visibility("default"))) const ReloadlabCandidate* reloadlab_candidate() { \
    static constexpr ReloadlabCandidate said{.magic = RELOADLAB_CANDIDATE_MAGIC,                      \
                                             .abi = RELOADLAB_CANDIDATE_ABI,                          \
                                             .size = sizeof(ReloadlabCandidate),                      \
                                             .torch = TORCH_VERSION,                                  \
                                             .ndebug = RELOADLAB_BUILT_NDEBUG,                        \
                                             .library = RELOADLAB_BUILT_LIBRARY,                      \
                                             .compiler = __VERSION__,                                 \
                                             .cuda_runtime = RELOADLAB_CUDA_RUNTIME,                  \
                                             .system = system_name,                                   \
                                             .profiles = profile_names,                               \
                                             .make = make_function};                                  \
    return &said;                                                                                     \
  }
