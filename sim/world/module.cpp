#include "sim/world/module.h"

#include <c10/util/Exception.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <map>

namespace reloadlab::sim {
namespace {

std::filesystem::path beside_the_program(std::string_view name) {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / name;
}

Result<ModuleMaker> open_module(WorldKind kind) {
  static std::map<WorldKind, ModuleMaker> opened;
  if (const auto found = opened.find(kind); found != opened.end()) return found->second;
  const std::filesystem::path path = beside_the_program(fmt::format("libreloadlab_{}.so", world_name(kind)));
  void* module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!module) return Status(Code::unsupported, fmt::format("the world {} cannot be opened: {}", world_name(kind), ::dlerror()));
  const auto maker = reinterpret_cast<ModuleMaker>(::dlsym(module, "reloadlab_make_world"));
  if (!maker) return Status(Code::unsupported, fmt::format("{} makes no world", path.string()));
  return opened.emplace(kind, maker).first->second;
}

}  // namespace

Result<std::unique_ptr<World>> make_from_module(const WorldRequest& request) {
  RELOADLAB_ASSIGN(const ModuleMaker make, open_module(request.kind));
  try {
    return std::unique_ptr<World>(make(request));
  } catch (const c10::Error& error) {
    return Status(Code::unsupported, error.what_without_backtrace());
  }
}

int gpu_count() {
  static const int count = [] {
    void* library = ::dlopen("libnvidia-ml.so.1", RTLD_NOW);
    if (!library) return 0;
    const auto init = reinterpret_cast<int (*)()>(::dlsym(library, "nvmlInit_v2"));
    const auto ask = reinterpret_cast<int (*)(unsigned*)>(::dlsym(library, "nvmlDeviceGetCount_v2"));
    unsigned found = 0;
    const bool known = init && ask && init() == 0 && ask(&found) == 0;
    return known ? static_cast<int>(found) : 0;
  }();
  return count;
}

}  // namespace reloadlab::sim
