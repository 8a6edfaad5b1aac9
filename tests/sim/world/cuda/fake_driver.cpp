// The driver's virtual memory calls without a GPU: reserved addresses are this process's, and physical memory is files that lie nowhere.
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

extern "C" {
int fake_handles = 0;  // that were not released
}

namespace {

constexpr size_t granule = size_t{2} << 20;

void* at(CUdeviceptr address) { return reinterpret_cast<void*>(address); }
CUresult said(bool well) { return well ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE; }

CUresult granularity(size_t* bytes, const CUmemAllocationProp*, CUmemAllocationGranularity_flags) { return *bytes = granule, CUDA_SUCCESS; }
CUresult reserve(CUdeviceptr* address, size_t bytes, size_t, CUdeviceptr, unsigned long long) {
  void* found = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *address = reinterpret_cast<CUdeviceptr>(found);
  return said(found != MAP_FAILED && bytes % granule == 0);
}
CUresult create(CUmemGenericAllocationHandle* handle, size_t bytes, const CUmemAllocationProp* what, unsigned long long) {
  const int file = ::memfd_create("pages", 0);
  *handle = static_cast<CUmemGenericAllocationHandle>(file) + 1;
  ++fake_handles;
  return said(file >= 0 && ::ftruncate(file, static_cast<off_t>(bytes)) == 0 && what->location.id == 3);
}
CUresult map(CUdeviceptr address, size_t bytes, size_t, CUmemGenericAllocationHandle handle, unsigned long long) {
  return said(::mmap(at(address), bytes, PROT_NONE, MAP_SHARED | MAP_FIXED, static_cast<int>(handle) - 1, 0) == at(address));
}
CUresult set_access(CUdeviceptr address, size_t bytes, const CUmemAccessDesc* access, size_t count) {
  return said(count == 1 && access->location.id == 3 && ::mprotect(at(address), bytes, PROT_READ | PROT_WRITE) == 0);
}
CUresult unmap(CUdeviceptr address, size_t bytes) {
  return said(::mmap(at(address), bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at(address));
}
CUresult release(CUmemGenericAllocationHandle handle) { return --fake_handles, said(::close(static_cast<int>(handle) - 1) == 0); }
CUresult free_range(CUdeviceptr address, size_t bytes) { return said(::munmap(at(address), bytes) == 0); }

void* find(const char* name) {
  const struct {
    const char* name;
    void* function;
  } all[] = {{"cuMemGetAllocationGranularity", reinterpret_cast<void*>(&granularity)},
             {"cuMemAddressReserve", reinterpret_cast<void*>(&reserve)},
             {"cuMemAddressFree", reinterpret_cast<void*>(&free_range)},
             {"cuMemCreate", reinterpret_cast<void*>(&create)},
             {"cuMemRelease", reinterpret_cast<void*>(&release)},
             {"cuMemMap", reinterpret_cast<void*>(&map)},
             {"cuMemUnmap", reinterpret_cast<void*>(&unmap)},
             {"cuMemSetAccess", reinterpret_cast<void*>(&set_access)}};
  for (const auto& each : all)
    if (std::strcmp(each.name, name) == 0) return each.function;
  return nullptr;
}

}  // namespace

extern "C" cudaError_t cudaGetDriverEntryPointByVersion(const char* name, void** function, unsigned, unsigned long long,
                                                        cudaDriverEntryPointQueryResult* known) {
  *function = find(name);
  if (known) *known = *function ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
  return *function ? cudaSuccess : cudaErrorSymbolNotFound;
}
