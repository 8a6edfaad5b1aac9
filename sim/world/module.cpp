#include "sim/world/module.h"

#include <c10/util/Exception.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>

#include <cstdlib>
#include <filesystem>
#include <map>

namespace reloadlab::sim {
namespace {

// The file that this code was loaded from. Of a program the loader knows only what it was called, which may have been found on PATH.
std::filesystem::path own_file() {
  Dl_info self{};
  void* map = nullptr;
  ::dladdr1(reinterpret_cast<void*>(&own_file), &self, &map, RTLD_DL_LINKMAP);
  const bool is_program = !map || static_cast<const link_map*>(map)->l_name[0] == '\0';
  std::error_code error;
  return std::filesystem::canonical(is_program ? "/proc/self/exe" : self.dli_fname, error);
}

// The program, or the Python module that it is too, which lies two folders below.
std::filesystem::path beside_the_program(std::string_view name) {
  std::error_code error;
  std::filesystem::path folder = own_file().parent_path();
  while (!std::filesystem::exists(folder / name, error) && folder.has_relative_path()) folder = folder.parent_path();
  return folder / name;
}

// LibTorch reads it as its CUDA half is opened.
void ask_for(GpuAllocator allocator) {
  if (allocator == GpuAllocator::environment) return;
  const char* const settings = allocator == GpuAllocator::cuda_malloc_async     ? "backend:cudaMallocAsync"
                               : allocator == GpuAllocator::expandable_segments ? "backend:native,expandable_segments:True"
                                                                                : "backend:native,expandable_segments:False";
  for (const char* name : {"PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"}) ::setenv(name, settings, /*overwrite=*/1);
}

Result<void*> open_module(WorldKind kind, GpuAllocator allocator = GpuAllocator::environment) {
  static std::map<WorldKind, void*> opened;
  if (const auto found = opened.find(kind); found != opened.end()) return found->second;
  ask_for(allocator);
  const std::filesystem::path path = beside_the_program(fmt::format("libreloadlab_{}.so", world_name(kind)));
  void* module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!module) return Status(Code::unsupported, fmt::format("the world {} cannot be opened: {}", world_name(kind), ::dlerror()));
  return opened.emplace(kind, module).first->second;
}

}  // namespace

Result<std::unique_ptr<World>> make_from_module(const WorldRequest& request) {
  RELOADLAB_ASSIGN(void* module, open_module(request.kind, request.allocator));
  const auto make = reinterpret_cast<ModuleMaker>(::dlsym(module, "reloadlab_make_world"));
  if (!make) return Status(Code::unsupported, fmt::format("the module of world {} makes no world", world_name(request.kind)));
  try {
    return std::unique_ptr<World>(make(request));
  } catch (const c10::Error& error) {
    return Status(Code::unsupported, error.what_without_backtrace());
  }
}

Result<CudaVersions> cuda_versions() {
  RELOADLAB_ASSIGN(void* module, open_module(WorldKind::cuda));
  const auto ask = reinterpret_cast<VersionsTeller>(::dlsym(module, "reloadlab_cuda_versions"));
  if (!ask) return Status(Code::unsupported, "libreloadlab_cuda.so is of another version of this program");
  return ask();
}

Status hold_memory(int device) {
  RELOADLAB_ASSIGN(void* module, open_module(WorldKind::cuda));
  const auto hold = reinterpret_cast<MemoryHolder>(::dlsym(module, "reloadlab_hold_memory"));
  if (!hold) return Status(Code::unsupported, "libreloadlab_cuda.so is of another version of this program");
  hold(device);
  return {};
}

Result<Calibration> calibrate(const modelled::Rates& known) {
  RELOADLAB_ASSIGN(void* module, open_module(WorldKind::cuda));
  const auto measure = reinterpret_cast<Calibrator>(::dlsym(module, "reloadlab_calibrate"));
  if (!measure) return Status(Code::unsupported, "libreloadlab_cuda.so is of another version of this program");
  Calibration calibration{.rates = known};
  try {
    calibration.gpus = measure(calibration.rates);
  } catch (const c10::Error& error) {
    return Status(Code::failed, error.what_without_backtrace());
  }
  return calibration;
}

}  // namespace reloadlab::sim
