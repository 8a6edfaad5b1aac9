#include "sim/world/gpus.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>

namespace reloadlab::sim {
namespace {

// What is called of NVML, by the names and layouts of its stable interface: its header is no part of LibTorch's wheel.
using Device = void*;
struct Memory {
  unsigned long long total, free, used;
};
constexpr int kP2pRead = 0, kP2pNvlink = 2, kP2pOk = 0;
// By how far up two devices meet.
constexpr std::pair<int, const char*> kMeetings[] = {{0, "one board"},      {10, "a PCIe switch"}, {20, "several PCIe switches"},
                                                     {30, "a host bridge"}, {40, "one NUMA node"}, {50, "the link of NUMA nodes"}};

class Nvml {
 public:
  Nvml() : library_(::dlopen("libnvidia-ml.so.1", RTLD_NOW)) {
    if (!library_) {
      problem_ = ::dlerror();
      return;
    }
    const auto error = call<int (*)()>("nvmlInit_v2");
    if (error == 0) return;
    const auto words = function<const char* (*)(int)>("nvmlErrorString");
    problem_ = fmt::format("NVML does not start: {}", words ? words(error) : fmt::to_string(error));
  }

  const std::string& problem() const { return problem_; }

  // The function's answer, 0 where it succeeded; where the library lacks it, what NVML calls "function not found".
  template <class Function, class... Arguments>
  int call(const char* name, Arguments... arguments) const {
    constexpr int not_found = 13;
    const auto known = function<Function>(name);
    return known ? known(arguments...) : not_found;
  }

  std::string text(const char* name) const {
    char text[96] = {};
    return call<int (*)(char*, unsigned)>(name, text, sizeof text) == 0 ? text : "";
  }

  std::string text(const char* name, Device device) const {
    char text[96] = {};
    return call<int (*)(Device, char*, unsigned)>(name, device, text, sizeof text) == 0 ? text : "";
  }

 private:
  template <class Function>
  Function function(const char* name) const {
    return reinterpret_cast<Function>(::dlsym(library_, name));
  }

  void* library_;
  std::string problem_;
};

Gpu describe(const Nvml& nvml, Device device) {
  Gpu gpu{.name = nvml.text("nvmlDeviceGetName", device), .uuid = nvml.text("nvmlDeviceGetUUID", device)};
  Memory memory{};
  if (nvml.call<int (*)(Device, Memory*)>("nvmlDeviceGetMemoryInfo", device, &memory) == 0)
    gpu.memory_bytes = static_cast<int64_t>(memory.total);
  int major = 0, minor = 0;
  if (nvml.call<int (*)(Device, int*, int*)>("nvmlDeviceGetCudaComputeCapability", device, &major, &minor) == 0)
    gpu.capability = 10 * major + minor;
  return gpu;
}

bool can(const Nvml& nvml, int what, Device from, Device to) {
  int status = -1;
  return nvml.call<int (*)(Device, Device, int, int*)>("nvmlDeviceGetP2PStatus", from, to, what, &status) == 0 && status == kP2pOk;
}

std::string between(const Nvml& nvml, Device one, Device other) {
  if (can(nvml, kP2pNvlink, one, other)) return "NVLink";
  int level = -1;
  nvml.call<int (*)(Device, Device, int*)>("nvmlDeviceGetTopologyCommonAncestor", one, other, &level);
  const auto known = std::ranges::find(kMeetings, level, &std::pair<int, const char*>::first);
  return known == std::end(kMeetings) ? "what the driver does not tell" : known->second;
}

void find_pairs(const Nvml& nvml, const std::vector<Device>& devices, Gpus& found) {
  for (size_t one = 0; one < devices.size(); ++one)
    for (size_t other = one + 1; other < devices.size(); ++other) {
      const std::string pair = fmt::format("{} and {}", one, other);
      found.topology[between(nvml, devices[one], devices[other])].push_back(pair);
      if (!can(nvml, kP2pRead, devices[one], devices[other]) || !can(nvml, kP2pRead, devices[other], devices[one]))
        found.strangers.push_back(pair);
    }
}

Device device_with(const Nvml& nvml, const std::string& uuid) {
  Device device = nullptr;
  nvml.call<int (*)(const char*, Device*)>("nvmlDeviceGetHandleByUUID", uuid.c_str(), &device);
  return device;
}

// A part of a GPU, which the list of GPUs does not have: a process sees the first one named, and no other GPU.
void keep_part(const Nvml& nvml, const std::string& variable, std::vector<Gpu>& all, std::vector<Device>& devices) {
  all.clear(), devices.clear();
  if (Device part = device_with(nvml, variable.substr(0, variable.find(',')))) all = {describe(nvml, part)}, devices = {part};
}

void keep_visible(const Nvml& nvml, std::vector<Gpu>& all, std::vector<Device>& devices) {
  const char* variable = std::getenv("CUDA_VISIBLE_DEVICES");
  if (!variable) return;
  if (std::string_view(variable).starts_with("MIG-")) return keep_part(nvml, variable, all, devices);
  std::vector<Gpu> kept;
  std::vector<Device> kept_devices;
  for (const size_t index : visible_gpus(variable, all)) kept.push_back(all[index]), kept_devices.push_back(devices[index]);
  all = std::move(kept), devices = std::move(kept_devices);
}

Gpus ask() {
  Gpus found;
  const Nvml nvml;
  if (!nvml.problem().empty()) return found.why_none = nvml.problem(), found;
  found.driver = nvml.text("nvmlSystemGetDriverVersion");
  nvml.call<int (*)(int*)>("nvmlSystemGetCudaDriverVersion_v2", &found.cuda);
  unsigned count = 0;
  nvml.call<int (*)(unsigned*)>("nvmlDeviceGetCount_v2", &count);
  std::vector<Device> devices;
  for (unsigned index = 0; index < count; ++index) {
    Device device = nullptr;
    if (nvml.call<int (*)(unsigned, Device*)>("nvmlDeviceGetHandleByIndex_v2", index, &device) != 0) continue;
    devices.push_back(device);
    found.here.push_back(describe(nvml, device));
  }
  const size_t all = found.here.size();
  keep_visible(nvml, found.here, devices);
  find_pairs(nvml, devices, found);
  if (all == 0) found.why_none = fmt::format("the driver {} knows none", found.driver);
  if (all > 0 && found.here.empty())
    found.why_none = fmt::format("CUDA_VISIBLE_DEVICES=\"{}\" leaves none of {}", std::getenv("CUDA_VISIBLE_DEVICES"), all);
  return found;
}

std::optional<size_t> find_gpu(std::string_view word, const std::vector<Gpu>& all) {
  size_t index = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), index);
  if (error == std::errc() && end == word.data() + word.size()) return index < all.size() ? std::optional(index) : std::nullopt;
  const auto found = std::find_if(all.begin(), all.end(), [&](const Gpu& gpu) { return !word.empty() && gpu.uuid.starts_with(word); });
  return found == all.end() ? std::nullopt : std::optional(static_cast<size_t>(found - all.begin()));
}

}  // namespace

const Gpus& gpus() {
  static const Gpus found = ask();
  return found;
}

std::vector<int64_t> gpu_memory_in_use(const Gpus& gpus) {
  static const Nvml nvml;
  std::vector<int64_t> used;
  for (const Gpu& gpu : gpus.here) {
    Memory memory{};
    if (Device device = device_with(nvml, gpu.uuid)) nvml.call<int (*)(Device, Memory*)>("nvmlDeviceGetMemoryInfo", device, &memory);
    used.push_back(static_cast<int64_t>(memory.used));
  }
  return used;
}

std::string capability_text(int capability) { return fmt::format("{}.{}", capability / 10, capability % 10); }
std::string cuda_version_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }
std::string gib_text(int64_t bytes) { return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1ll << 30)); }

std::string gpu_text(const Gpu& gpu) {
  return fmt::format("{}, {}, compute capability {}", gpu.name, gib_text(gpu.memory_bytes), capability_text(gpu.capability));
}

std::vector<size_t> visible_gpus(const std::string& variable, const std::vector<Gpu>& all) {
  std::vector<size_t> visible;
  for (size_t begin = 0; begin <= variable.size();) {
    const size_t end = std::min(variable.find(',', begin), variable.size());
    const auto found = find_gpu(std::string_view(variable).substr(begin, end - begin), all);
    if (!found) break;
    visible.push_back(*found);
    begin = end + 1;
  }
  return visible;
}

}  // namespace reloadlab::sim
