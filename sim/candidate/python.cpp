#include "sim/candidate/python.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "reference/base/program.h"
#include "sim/candidate/candidate.h"
#include "sim/candidate/spoken.h"

namespace reloadlab::sim {
namespace {

namespace fs = std::filesystem;

constexpr int kUsage = 64, kData = 65;

PythonFinder& finder() {
  static PythonFinder known;
  return known;
}

fs::path own_program() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error);
}

// <environment>/lib/python3.11/site-packages/torch/lib/libtorch_cpu.so belongs to <environment>/bin/python3.
fs::path python_beside_torch() {
  Dl_info library{};
  std::error_code error;
  if (::dladdr(reinterpret_cast<void*>(&at::set_num_threads), &library) == 0) return {};
  const fs::path torch = fs::canonical(library.dli_fname, error).parent_path().parent_path();
  return torch.parent_path().parent_path().parent_path().parent_path() / "bin" / "python3";
}

// The package as it was built lies beside the program, and is what goes with it.
void put_package_on_path() {
  const fs::path package = own_program().parent_path() / "python";
  std::error_code error;
  if (!fs::exists(package / "reloadlab", error)) return;
  const char* const before = std::getenv("PYTHONPATH");
  const std::string path = package.string(), known = before ? before : "";
  if (known == path || known.starts_with(path + ":")) return;
  ::setenv("PYTHONPATH", known.empty() ? path.c_str() : fmt::format("{}:{}", path, known).c_str(), /*overwrite=*/1);
}

Status why_not(const std::string& spelling, const Spoken& spoken) {
  const std::string said = last_line(spoken.err);
  if (spoken.exit_code == kUsage || spoken.exit_code == kData)
    return Status(spoken.exit_code == kUsage ? Code::usage : Code::data, fmt::format("{}: {}", spelling, said));
  if (said.ends_with("No module named reloadlab"))
    return Status(Code::data, spelling + ": that python has no package reloadlab: pip install it there, or set PYTHONPATH");
  return Status(Code::data, fmt::format("{}: who imports it {}{}", spelling, spoken.end, said.empty() ? "" : ": " + said));
}

// What `describe` prints, on the last line: an import may print, too.
Result<CandidateInfo> read_description(const std::string& spelling, const std::string& text) try {
  const auto json = nlohmann::json::parse(last_line(text));
  CandidateInfo info{.name = spelling, .system = json.at("system").get<std::string>()};
  info.declared = json.at("declared").get<std::map<std::string, std::string>>();
  const Status elsewhere(Code::usage, spelling + " is a Python candidate, and this process hosts no Python");
  if (json.at("reloader").get<bool>()) info.make_reloader = [=](const CandidateContext&) { return elsewhere; };
  if (json.at("series").get<bool>()) info.make_series = [=](const CandidateContext&, const model::SeriesContext&) { return elsewhere; };
  return info;
} catch (const nlohmann::json::exception&) {
  return Status(Code::data, spelling + ": who describes it says nothing that can be read: \"" + last_line(text) + "\"");
}

Result<CandidateInfo> describe(const std::string& spelling) {
  RELOADLAB_ASSIGN(std::vector<std::string> command, python_command());
  command.insert(command.end(), {"describe", spelling});
  RELOADLAB_ASSIGN(const Spoken spoken, ask(command));
  const bool said = spoken.exit_code == 0 && !spoken.out.empty();
  return said ? read_description(spelling, spoken.out) : Result<CandidateInfo>(why_not(spelling, spoken));
}

}  // namespace

Result<CandidateInfo> describe_python(const std::string& spelling) {
  static std::map<std::string, Result<CandidateInfo>> known;
  const auto found = known.find(spelling);
  return found != known.end() ? found->second : known.emplace(spelling, describe(spelling)).first->second;
}

Result<CandidateInfo> find_python(const std::string& spelling) { return hosts_python() ? finder()(spelling) : describe_python(spelling); }

void host_python(PythonFinder find) { finder() = std::move(find); }
bool hosts_python() { return finder() != nullptr; }

Result<std::vector<std::string>> python_command() {
  if (hosts_python()) return this_program();
  const char* const chosen = std::getenv("RELOADLAB_PYTHON");
  const fs::path python = chosen ? fs::path(chosen) : python_beside_torch();
  std::error_code error;
  if (!fs::exists(python, error))
    return Status(Code::usage, fmt::format("Python candidates need a python with torch, and \"{}\"{} is none: set RELOADLAB_PYTHON",
                                           python.string(), chosen ? " (RELOADLAB_PYTHON)" : ""));
  put_package_on_path();
  return std::vector<std::string>{python.string(), "-m", "reloadlab"};
}

}  // namespace reloadlab::sim
