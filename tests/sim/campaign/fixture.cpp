#include "tests/sim/campaign/fixture.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace reloadlab::tests {

namespace fs = std::filesystem;
using namespace sim;

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

CampaignTest::CampaignTest() : folder(fs::path(testing::TempDir()) / fmt::format("reloadlab_campaign_{}", ::getpid())) {
  fs::remove_all(folder);
  fs::create_directories(folder / "scenarios" / "layerwise");
  options.selection.paths = {(folder / "scenarios").string()};
  options.out = folder / "out";
  options.worker_command = {"/proc/self/exe", "worker"};
  options.silence_seconds = 2;
}

CampaignTest::~CampaignTest() { fs::remove_all(folder); }

void CampaignTest::write(const std::string& path, const std::string& text) {
  fs::create_directories((folder / path).parent_path());
  std::ofstream(folder / path, std::ios::binary) << text;
}

void CampaignTest::scenario(const std::string& name, const std::string& about, const std::string& tag) {
  write("scenarios/layerwise/" + name + ".yaml", small_scenario(name, about, tag));
}

Result<RunResult> CampaignTest::try_run(const std::vector<std::string>& candidates) {
  options.selection.candidates = candidates;
  std::FILE* out = std::fopen((folder / "screen").c_str(), "w");
  auto result = run_campaign(options, engine, {out, false});
  std::fclose(out);
  return result;
}

RunResult CampaignTest::run(const std::vector<std::string>& candidates) {
  auto result = try_run(candidates);
  EXPECT_TRUE(result.ok()) << result.status().message();
  return result.ok() ? *std::move(result) : RunResult{};
}

LawResult CampaignTest::law_of(const RunResult& run, const std::string& candidate, const std::string& law, const std::string& variant) {
  for (const CaseResult& one : run.cases)
    for (const LawResult& have : one.laws)
      if (one.candidate == candidate && one.variant == variant && have.law == law) return have;
  ADD_FAILURE() << candidate << " has no " << law << " with " << variant;
  return {};
}

std::string CampaignTest::screen() const { return read_file(folder / "screen"); }

}  // namespace reloadlab::tests
