// Versions of what the module was built with, beside those that it found.
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <nccl.h>

#include "sim/world/module.h"

extern "C" reloadlab::sim::CudaVersions reloadlab_cuda_versions() {
  reloadlab::sim::CudaVersions versions{.cuda_built = CUDART_VERSION, .nccl_built = NCCL_VERSION_CODE};
  ::cudaRuntimeGetVersion(&versions.cuda);
  // It came with LibTorch's CUDA half, which is what links it.
  const auto ask = reinterpret_cast<int (*)(int*)>(::dlsym(RTLD_DEFAULT, "ncclGetVersion"));
  if (ask) ask(&versions.nccl);
  return versions;
}
