// A driver for hosts without one: what sim/world/gpus.cpp asks of NVML, answered as FAKE_GPUS (a count; "broken": the driver does not
// start), FAKE_CUDA (12040), FAKE_STRANGERS and FAKE_ISLANDS (GPUs that have NVLink between them) say.
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

const char* variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}

// A handle is the number plus one.
using Device = void*;
long number_of(Device device) { return reinterpret_cast<long>(device) - 1; }

struct Memory {
  unsigned long long total, free, used;
};

}  // namespace

extern "C" {
int nvmlInit_v2() { return std::strcmp(variable("FAKE_GPUS", "1"), "broken") == 0 ? 9 : 0; }
const char* nvmlErrorString(int) { return "Driver Not Loaded"; }
int nvmlSystemGetDriverVersion(char* text, unsigned size) { return std::snprintf(text, size, "580.1"), 0; }
int nvmlSystemGetCudaDriverVersion_v2(int* version) { return *version = std::atoi(variable("FAKE_CUDA", "13000")), 0; }
int nvmlDeviceGetCount_v2(unsigned* count) { return *count = static_cast<unsigned>(std::atoi(variable("FAKE_GPUS", "1"))), 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device* device) { return *device = reinterpret_cast<Device>(index + 1l), 0; }
int nvmlDeviceGetName(Device, char* text, unsigned size) { return std::snprintf(text, size, "NVIDIA Fake 80GB"), 0; }
int nvmlDeviceGetUUID(Device device, char* text, unsigned size) { return std::snprintf(text, size, "GPU-%ld", number_of(device)), 0; }
int nvmlDeviceGetMemoryInfo(Device, Memory* memory) { return *memory = {80ull << 30, 0, 0}, 0; }
int nvmlDeviceGetCudaComputeCapability(Device, int* major, int* minor) { return *major = 8, *minor = 6, 0; }
int nvmlDeviceGetHandleByUUID(const char* uuid, Device* device) {
  if (std::strcmp(uuid, "MIG-6") != 0) return 6;
  return *device = reinterpret_cast<Device>(7l), 0;
}
int nvmlDeviceGetP2PStatus(Device one, Device other, int what, int* status) {
  const long island = std::atol(variable("FAKE_ISLANDS", "100"));
  const bool apart = number_of(one) / island != number_of(other) / island;
  return *status = what == 2 ? apart : std::getenv("FAKE_STRANGERS") ? 1 : 0, 0;
}
int nvmlDeviceGetTopologyCommonAncestor(Device one, Device other, int* level) {
  return *level = number_of(one) + number_of(other) == 3 ? 50 : 30, 0;
}
}
