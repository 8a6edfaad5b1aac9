#include "sim/candidate/plugin.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/version.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <tuple>

#include "reference/base/nearest.h"
#include "sim/candidate/candidate.h"
#include "sim/candidate/plugin_abi.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kSystems[] = {"layerwise", "online_quant", "shared_series"};
constexpr std::string_view kRuntimes[] = {"none", "shared", "static"};
constexpr std::string_view kHides =
    "has a CUDA runtime of its own (static), whose calls are not heard: link the shared one, -DCMAKE_CUDA_RUNTIME_LIBRARY=Shared";

std::string_view text(const char* said) { return said ? said : "nothing"; }

// What everything that crosses is laid out by; empty where they agree.
std::string differences(const ReloadlabCandidate& said) {
  const std::tuple<std::string_view, const char*, const char*> facts[] = {{"LibTorch", said.torch, TORCH_VERSION},
                                                                          {"NDEBUG", said.ndebug, RELOADLAB_BUILT_NDEBUG},
                                                                          {"C++ library", said.library, RELOADLAB_BUILT_LIBRARY}};
  std::string all;
  for (const auto& [what, its, ours] : facts)
    if (text(its) != ours) all += fmt::format("{}{} is {}, here {}", all.empty() ? "" : "; ", what, text(its), ours);
  return all.empty() ? all : fmt::format("was built otherwise than this program: {} (compiled by {})", all, text(said.compiler));
}

// Fields behind abi and size are read only where these are ours.
std::string built_otherwise(const ReloadlabCandidate* said) {
  if (!said || said->magic != RELOADLAB_CANDIDATE_MAGIC) return "says nothing that a plug-in says: its reloadlab_candidate() is another's";
  if (said->abi == RELOADLAB_CANDIDATE_ABI && said->size == sizeof *said) return differences(*said);
  return fmt::format("is of plug-in ABI {} ({} bytes), here it is {} ({} bytes): build it against this program's package", said->abi,
                     said->size, RELOADLAB_CANDIDATE_ABI, sizeof *said);
}

// Why nothing of it may be called; empty where all is well.
std::string unfit(const ReloadlabCandidate* said) {
  if (std::string why = built_otherwise(said); !why.empty()) return why;
  if (std::ranges::find(kRuntimes, text(said->cuda_runtime)) == std::end(kRuntimes))
    return fmt::format("says CUDA runtime \"{}\", expected {}", text(said->cuda_runtime), fmt::join(kRuntimes, ", "));
  if (std::ranges::find(kSystems, text(said->system)) == std::end(kSystems))
    return fmt::format("is for system \"{}\", which there is not, expected {}{}", text(said->system), fmt::join(kSystems, ", "),
                       did_you_mean(text(said->system), kSystems));
  return said->make ? "" : "makes no candidate: its make function is null";
}

// A name of the linker's as people write it.
std::string readable(std::string message) {
  constexpr std::string_view before = "undefined symbol: ";
  const size_t at = message.find(before);
  if (at == message.npos) return message;
  const size_t begin = at + before.size(), end = std::min(message.find_first_of(" ,\n", begin), message.size());
  const std::string symbol = message.substr(begin, end - begin);
  const std::unique_ptr<char, decltype(&std::free)> plain(abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, nullptr), &std::free);
  return plain ? fmt::format("{} ({})", message, plain.get()) : message;
}

const ReloadlabCandidate* said_by(void* library) {
  const auto function = reinterpret_cast<ReloadlabCandidateFunction>(::dlsym(library, "reloadlab_candidate"));
  return function ? function() : nullptr;
}

// What was built otherwise may lack functions for that alone, and with functions left open it may still say so.
std::string why_it_does_not_open(const std::string& path, std::string error) {
  void* const half = ::dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL);
  const ReloadlabCandidate* const said = half ? said_by(half) : nullptr;
  const std::string why = said ? built_otherwise(said) : "";
  return why.empty() ? "cannot be opened: " + readable(std::move(error)) : why;
}

Status check_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return Status(Code::usage, "there is no such file");
  char magic[4] = {};
  std::ifstream(path, std::ios::binary).read(magic, sizeof magic);
  if (std::string_view(magic, sizeof magic) ==
      "\x7f"
      "ELF")
    return {};
  return Status(Code::data, "is no shared library");
}

Result<const ReloadlabCandidate*> open(const std::string& path) {
  RELOADLAB_TRY(check_file(path));
  const std::string whole = std::filesystem::absolute(path).string();  // without a slash it would be looked for elsewhere
  void* const library = ::dlopen(whole.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return Status(Code::data, why_it_does_not_open(whole, ::dlerror()));
  if (!::dlsym(library, "reloadlab_candidate"))
    return Status(Code::data, "is no plug-in: it exports no function reloadlab_candidate(), which RELOADLAB_CANDIDATE(...) makes");
  const ReloadlabCandidate* const said = said_by(library);
  const std::string why = unfit(said);
  return why.empty() ? Result<const ReloadlabCandidate*>(said) : Status(Code::data, why);
}

Result<const ReloadlabCandidate*> opened(const std::string& path) {
  static std::map<std::string, Result<const ReloadlabCandidate*>> known;
  const auto found = known.find(path);
  return found != known.end() ? found->second : known.emplace(path, open(path)).first->second;
}

// A profile may have policies of its own behind a comma.
Status check_profile(const ReloadlabCandidate& said, const std::string& path, const std::string& profile) {
  std::istringstream words{std::string(text(said.profiles))};
  const std::vector<std::string> known{std::istream_iterator<std::string>(words), {}};
  const std::string name = profile.substr(0, profile.find(','));
  if (known.empty() && profile.empty()) return {};
  if (known.empty()) return Status(Code::usage, fmt::format("it has no profiles, and \"{}\" is asked for", profile));
  if (profile.empty()) return Status(Code::usage, fmt::format("it needs a profile: {}@{}", path, fmt::join(known, ", @")));
  if (std::ranges::find(known, name) != known.end()) return {};
  return Status(Code::usage,
                fmt::format("no profile is called \"{}\", expected {}{}", name, fmt::join(known, ", "), did_you_mean(name, known)));
}

Result<CandidateInfo> made_by(const ReloadlabCandidate& said, const std::string& profile) try {
  return said.make(profile);
} catch (const std::exception& error) {
  return Status(Code::failed, error.what());
} catch (...) {
  return Status(Code::failed, "an exception that is no std::exception");
}

}  // namespace

Result<CandidateInfo> find_plugin(const std::string& spelling) {
  const auto [path, profile] = split_plugin(spelling);
  if (spelling.ends_with('@')) return Status(Code::usage, "no profile is behind the @").within(spelling);
  const Result<const ReloadlabCandidate*> known = opened(path);
  if (!known.ok()) return known.status().within(path);
  const ReloadlabCandidate& said = **known;
  if (const Status status = check_profile(said, path, profile); !status.ok()) return status.within(path);
  Result<CandidateInfo> made = made_by(said, profile);
  if (!made.ok()) return Status(Code::data, made.status().message()).within(spelling);
  CandidateInfo info = *std::move(made);
  info.name = spelling;
  info.system = said.system;
  if (text(said.cuda_runtime) == "static") info.not_on_gpus = kHides;
  if (info.make_reloader || info.make_series) return info;
  return Status(Code::data, "makes neither a reloader nor a series").within(spelling);
}

}  // namespace reloadlab::sim
