// Every input of the corpora, those among them that once broke a reader: each comes back, and some of each reader's are taken.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "tests/fuzz/readers.h"

namespace reloadlab::tests {
namespace {

// Beside this file.
constexpr const char* kFolders[] = {"scenario", "safetensors", "index", "token", "expectations", "config"};

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

class Corpus : public testing::TestWithParam<const char*> {};

TEST_P(Corpus, IsReadAndSomeOfItIsTakenAndSomeRefused) {
  const Reader& reader = find_reader(GetParam());
  int taken = 0, refused = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(RELOADLAB_SOURCE_DIR) / "tests/fuzz" / GetParam())) {
    const Status status = reader.read(bytes_of(entry.path()));
    ++(status.ok() ? taken : refused);
    const bool good = entry.path().filename().string().starts_with("good");
    EXPECT_EQ(status.ok(), good) << entry.path() << ": " << status.message();
    EXPECT_EQ(status.message().empty(), good) << entry.path();
  }
  EXPECT_GT(taken, 0);
  EXPECT_GT(refused, 0);
}

INSTANTIATE_TEST_SUITE_P(Readers, Corpus, testing::ValuesIn(kFolders), [](const auto& test) { return std::string(test.param); });

TEST(Corpora, AreThereForEveryReader) {
  std::set<std::string_view> names;
  for (const Reader& reader : readers()) names.insert(reader.name);
  EXPECT_EQ(names, std::set<std::string_view>(std::begin(kFolders), std::end(kFolders)));
}

}  // namespace
}  // namespace reloadlab::tests
