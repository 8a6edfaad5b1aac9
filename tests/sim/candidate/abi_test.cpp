// Whoever changes what plug-ins are compiled against has to say so by another number, or old ones would be opened and go wrong.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cctype>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <set>

#include "reference/base/prng.h"
#include "sim/candidate/plugin_abi.h"

namespace reloadlab::sim {
namespace {

// The ABI, and the code of all headers that belong to it.
constexpr std::pair kKnown(6, UINT64_C(0x59424a00e05ca611));

// The code of a header and of those that it includes, without comments, blanks and the ABI's own number.
void collect(const std::string& path, std::set<std::string>& seen, std::string& code) {
  if (!seen.insert(path).second) return;
  std::ifstream file(std::filesystem::path(RELOADLAB_SOURCE_DIR) / path);
  ASSERT_TRUE(file) << path;
  for (std::string line; std::getline(file, line);) {
    line = line.substr(0, line.find("//"));
    if (line.starts_with("#define RELOADLAB_CANDIDATE_ABI")) continue;
    if (line.starts_with("#include \"")) collect(line.substr(10, line.rfind('"') - 10), seen, code);
    std::erase_if(line, [](unsigned char c) { return std::isspace(c) || c == '\\'; });
    code += line;
  }
}

TEST(PluginAbi, HasAnotherNumberWhenTheHeadersHaveOtherCode) {
  std::set<std::string> seen;
  std::string code;
  for (const char* path : {"sim/candidate/reloadlab_candidate.h", "reference/model/tap/tap.h"}) collect(path, seen, code);
  EXPECT_TRUE(seen.contains("reference/model/layer.h"));
  EXPECT_EQ(std::pair(RELOADLAB_CANDIDATE_ABI, hash_name(code)), kKnown)
      << "headers that plug-ins see have changed: raise RELOADLAB_CANDIDATE_ABI in plugin_abi.h, and write here "
      << fmt::format("{:#x}", hash_name(code));
}

// These keep their places whatever comes behind them, so that any two versions can tell each other apart.
TEST(PluginAbi, BeginsAsItAlwaysDid) {
  EXPECT_EQ(offsetof(ReloadlabCandidate, magic), 0u);
  EXPECT_EQ(offsetof(ReloadlabCandidate, abi), 8u);
  EXPECT_EQ(offsetof(ReloadlabCandidate, size), 12u);
  EXPECT_EQ(RELOADLAB_CANDIDATE_MAGIC, UINT64_C(0x31626c64616f6c72));
}

}  // namespace
}  // namespace reloadlab::sim
