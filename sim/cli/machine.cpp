#include "sim/cli/machine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

namespace reloadlab::sim {
namespace {

using Json = nlohmann::ordered_json;

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (const size_t colon = line.find(": "); line.starts_with("model name") && colon != line.npos) return line.substr(colon + 2);
  return "unknown";
}

// "13.0" of "Cuda compilation tools, release 13.0, V13.0.88".
std::string toolkit_version() {
  constexpr const char* ask = "PATH=\"$PATH:${CUDA_HOME:-/usr/local/cuda}/bin\" nvcc --version 2>/dev/null";
  constexpr std::string_view before = "release ";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(ask, "r"), ::pclose);
  std::string text;
  char part[512];
  while (pipe && std::fgets(part, sizeof part, pipe.get())) text += part;
  const size_t at = text.find(before);
  return at == text.npos ? "" : text.substr(at + before.size(), text.find(',', at) - at - before.size());
}

std::string nccl_text(int version) { return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100); }

Json gpus_json(const Gpus& gpus) {
  Json all = Json::array();
  for (const Gpu& gpu : gpus.here)
    all.push_back({{"name", gpu.name}, {"memory_bytes", gpu.memory_bytes}, {"compute_capability", capability_text(gpu.capability)}});
  return all;
}

// Another minor version does not change layouts of CUDA's runtime; of LibTorch every one does.
bool same_major(int one, int other) { return one / 1000 == other / 1000; }

Examined examine_torch(const TorchFound& torch) {
  const bool same = torch.version.empty() || torch.version == torch.built || torch.version.starts_with(torch.built + "+");
  if (same) return {.what = "LibTorch", .says = fmt::format("{} in {}", torch.version, torch.folder.string())};
  return {Examined::State::wrong, "LibTorch",
          fmt::format("{} in {}, but this program was built with {}: put that one's lib folder first in LD_LIBRARY_PATH, or build again",
                      torch.version, torch.folder.string(), torch.built)};
}

Examined examine_cuda(const CudaVersions& found, const Gpus& gpus) {
  const std::string runtime = cuda_version_text(found.cuda);
  if (!same_major(found.cuda, found.cuda_built))
    return {Examined::State::wrong, "CUDA",
            fmt::format("{} is found, but this program was built with {}: put that one first in LD_LIBRARY_PATH, or build again", runtime,
                        cuda_version_text(found.cuda_built))};
  if (gpus.cuda > 0 && gpus.cuda / 1000 < found.cuda / 1000)
    return {Examined::State::wrong, "CUDA",
            fmt::format("{}, but the driver {} runs {} and older: install a newer driver, or take a LibTorch of CUDA {}", runtime,
                        gpus.driver, cuda_version_text(gpus.cuda), gpus.cuda / 1000)};
  return {.what = "CUDA", .says = fmt::format("{}, as LibTorch brings it", runtime)};
}

Examined examine_nccl(const CudaVersions& found) {
  if (found.nccl < found.nccl_built)
    return {Examined::State::wrong, "NCCL",
            fmt::format("{} is found, but this program was built with {}: put LibTorch's nvidia/nccl/lib first in LD_LIBRARY_PATH",
                        nccl_text(found.nccl), nccl_text(found.nccl_built))};
  return {.what = "NCCL", .says = nccl_text(found.nccl)};
}

Examined examine_driver(const Gpus& gpus) {
  if (gpus.driver.empty()) return {Examined::State::none, "driver", "none for NVIDIA's GPUs"};
  return {.what = "driver", .says = fmt::format("{}, runs CUDA {} and older", gpus.driver, cuda_version_text(gpus.cuda))};
}

Examined examine_peers(const Gpus& gpus) {
  if (gpus.strangers.empty()) return {.what = "peer access", .says = fmt::format("among all {} GPUs", gpus.here.size())};
  return {Examined::State::none, "peer access",
          fmt::format("GPUs {} do not read each other's memory: NCCL goes through the host's", fmt::join(gpus.strangers, ", "))};
}

Examined examine_topology(const Gpus& gpus) {
  std::vector<std::string> ways;
  for (const auto& [way, pairs] : gpus.topology)
    ways.push_back(gpus.topology.size() == 1 ? fmt::format("{} between all GPUs", way)
                                             : fmt::format("{} between {}", way, fmt::join(pairs, ", ")));
  return {.what = "topology", .says = fmt::format("{}", fmt::join(ways, "; "))};
}

Examined examine_toolkit(const std::string& toolkit) {
  if (toolkit.empty()) return {Examined::State::none, "CUDA toolkit", "none, and nothing here needs one"};
  return {.what = "CUDA toolkit", .says = fmt::format("{}; nothing here needs one", toolkit)};
}

}  // namespace

Machine look_at_machine() {
  return {.processor = processor_name(),
          .processors = std::thread::hardware_concurrency(),
          .torch = torch_found(),
          .gpus = gpus(),
          .versions = cuda_versions(),
          .toolkit = toolkit_version()};
}

std::string machine_json(const Machine& machine) {
  Json json{{"reloadlab", RELOADLAB_VERSION}, {"processor", machine.processor}, {"processors", machine.processors}};
  json["gpus"] = gpus_json(machine.gpus);
  if (!machine.gpus.topology.empty()) json["topology"] = machine.gpus.topology;
  if (!machine.gpus.why_none.empty()) json["why_no_gpu"] = machine.gpus.why_none;
  if (!machine.gpus.driver.empty()) json["driver"] = machine.gpus.driver, json["driver_cuda"] = cuda_version_text(machine.gpus.cuda);
  json["torch"] = machine.torch.version;
  json["torch_built"] = machine.torch.built;
  if (machine.versions.ok()) {
    const CudaVersions& found = *machine.versions;
    json["cuda"] = cuda_version_text(found.cuda), json["cuda_built"] = cuda_version_text(found.cuda_built);
    json["nccl"] = nccl_text(found.nccl), json["nccl_built"] = nccl_text(found.nccl_built);
  } else {
    json["why_no_cuda"] = machine.versions.status().message();
  }
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string devices_text(const Gpus& gpus) {
  if (gpus.here.empty()) return fmt::format("no GPU here: {}\n", gpus.why_none);
  std::string text;
  for (size_t index = 0; index < gpus.here.size(); ++index) text += fmt::format("GPU {}: {}\n", index, gpu_text(gpus.here[index]));
  return text;
}

std::vector<Examined> examine_machine(const Machine& machine) {
  std::vector<Examined> rows = {{.what = "program", .says = "reloadlab " RELOADLAB_VERSION},
                                examine_torch(machine.torch),
                                {.what = "processors", .says = fmt::format("{}, {}", machine.processors, machine.processor)},
                                examine_driver(machine.gpus)};
  for (size_t index = 0; index < machine.gpus.here.size(); ++index)
    rows.push_back({.what = fmt::format("GPU {}", index), .says = gpu_text(machine.gpus.here[index])});
  const bool none = machine.gpus.here.empty();
  if (none)
    rows.push_back({Examined::State::none, "GPU",
                    fmt::format("no GPU here: {}; cases of world cuda are unsupported, the others run", machine.gpus.why_none)});
  if (machine.gpus.here.size() > 1) rows.insert(rows.end(), {examine_peers(machine.gpus), examine_topology(machine.gpus)});
  if (machine.versions.ok()) {
    rows.push_back(examine_cuda(*machine.versions, machine.gpus));
    rows.push_back(examine_nccl(*machine.versions));
  } else {
    rows.push_back({none ? Examined::State::none : Examined::State::wrong, "world cuda", machine.versions.status().message()});
  }
  rows.push_back(examine_toolkit(machine.toolkit));
  return rows;
}

}  // namespace reloadlab::sim
