#pragma once
// The GPUs of this host as their driver (NVML) knows them: asked without a context, so that whoever starts processes for ranks may ask.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace reloadlab::sim {

struct Gpu {
  std::string name, uuid;
  int64_t memory_bytes = 0;
  int capability = 0;  // 90 is 9.0
};

struct Gpus {
  std::vector<Gpu> here;  // those that CUDA_VISIBLE_DEVICES leaves, numbered as CUDA numbers them; of parts of GPUs (MIG) the first
  std::string why_none;   // where there is none
  std::string driver;     // "580.159.04"; empty where there is no driver
  int cuda = 0;           // the newest CUDA that the driver runs: 13000 is 13.0
  std::vector<std::string> strangers;  // pairs of which one does not read the other's memory: "0 and 1"
  // What lies between them: "NVLink", "a PCIe switch", …; pairs by that.
  std::map<std::string, std::vector<std::string>> topology;
};

// Asked once.
const Gpus& gpus();

// Bytes in use on each of them now, whoever uses them.
std::vector<int64_t> gpu_memory_in_use(const Gpus& gpus);

std::string capability_text(int capability);  // "9.0"
std::string cuda_version_text(int version);   // "13.0"
std::string gib_text(int64_t bytes);          // "79.6 GiB"
std::string gpu_text(const Gpu& gpu);         // "NVIDIA H100 80GB HBM3, 79.6 GiB, compute capability 9.0"

// Of the GPUs that there are, the numbers that CUDA_VISIBLE_DEVICES leaves: numbers and beginnings of UUIDs up to the first that is
// neither.
std::vector<size_t> visible_gpus(const std::string& variable, const std::vector<Gpu>& all);

}  // namespace reloadlab::sim
