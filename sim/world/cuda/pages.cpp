#include "sim/world/cuda/pages.h"

#include <c10/util/Exception.h>
#include <cuda.h>
#include <cuda_runtime_api.h>

#include <string>

namespace reloadlab::sim::cuda {
namespace {

constexpr unsigned first_version = 12000;  // of the driver, that has them all

// The driver comes with the machine, not with LibTorch: its functions are looked up.
template <class Function>
Function* driver(const char* name) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult known{};
  const cudaError_t error = cudaGetDriverEntryPointByVersion(name, &found, first_version, cudaEnableDefault, &known);
  TORCH_CHECK(error == cudaSuccess && known == cudaDriverEntryPointSuccess, "the driver has no ", name);
  return reinterpret_cast<Function*>(found);
}

struct Driver {
  decltype(cuMemAddressReserve)* reserve = driver<decltype(cuMemAddressReserve)>("cuMemAddressReserve");
  decltype(cuMemAddressFree)* free = driver<decltype(cuMemAddressFree)>("cuMemAddressFree");
  decltype(cuMemCreate)* create = driver<decltype(cuMemCreate)>("cuMemCreate");
  decltype(cuMemRelease)* release = driver<decltype(cuMemRelease)>("cuMemRelease");
  decltype(cuMemMap)* map = driver<decltype(cuMemMap)>("cuMemMap");
  decltype(cuMemUnmap)* unmap = driver<decltype(cuMemUnmap)>("cuMemUnmap");
  decltype(cuMemSetAccess)* set_access = driver<decltype(cuMemSetAccess)>("cuMemSetAccess");
  decltype(cuMemGetAllocationGranularity)* granularity = driver<decltype(cuMemGetAllocationGranularity)>("cuMemGetAllocationGranularity");
};

const Driver& calls() {
  static const Driver all;
  return all;
}

void check(CUresult result, const char* what) {
  TORCH_CHECK_WITH(OutOfMemoryError, result != CUDA_ERROR_OUT_OF_MEMORY, what, ": CUDA out of memory");
  TORCH_CHECK(result == CUDA_SUCCESS, what, ": CUDA driver error ", static_cast<int>(result));
}

CUmemAllocationProp properties(int device) {
  CUmemAllocationProp wanted{};
  wanted.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  wanted.location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = device};
  return wanted;
}

}  // namespace

Pages reserve_pages(size_t bytes, int device) {
  const CUmemAllocationProp wanted = properties(device);
  size_t granule = 0;
  check(calls().granularity(&granule, &wanted, CU_MEM_ALLOC_GRANULARITY_RECOMMENDED), "cuMemGetAllocationGranularity");
  Pages pages{.bytes = (bytes + granule - 1) / granule * granule, .device = device};
  CUdeviceptr address = 0;
  check(calls().reserve(&address, pages.bytes, 0, 0, 0), "cuMemAddressReserve");
  pages.address = address;
  try {
    map_again(pages);
  } catch (...) {
    release_pages(pages);
    throw;
  }
  return pages;
}

void map_again(Pages& pages) {
  const CUmemAllocationProp wanted = properties(pages.device);
  CUmemGenericAllocationHandle handle = 0;
  check(calls().create(&handle, pages.bytes, &wanted, 0), "cuMemCreate");
  pages.handle = handle;  // from here on it is given back with them
  check(calls().map(pages.address, pages.bytes, 0, handle, 0), "cuMemMap");
  const CUmemAccessDesc access{.location = wanted.location, .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
  check(calls().set_access(pages.address, pages.bytes, &access, 1), "cuMemSetAccess");
}

void unmap(Pages& pages) {
  check(calls().unmap(pages.address, pages.bytes), "cuMemUnmap");
  check(calls().release(pages.handle), "cuMemRelease");
  pages.handle = 0;
}

void release_pages(Pages& pages) {
  if (pages.handle != 0) {
    (void)calls().unmap(pages.address, pages.bytes);
    (void)calls().release(pages.handle);
  }
  (void)calls().free(pages.address, pages.bytes);
  pages = {};
}

}  // namespace reloadlab::sim::cuda
