#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "sim/report/json.h"
#include "sim/report/run_folder.h"
#include "tests/sim/report/sample.h"

namespace reloadlab::tests {
namespace {

namespace fs = std::filesystem;
using namespace sim;

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

class Folder : public testing::Test {
 protected:
  Folder() : base(fs::path(testing::TempDir()) / "reloadlab_folder_test") { fs::remove_all(base); }
  ~Folder() override { fs::remove_all(base); }
  std::unique_ptr<RunFolder> open(const std::string& name = "my scenarios!") {
    auto folder = RunFolder::open(base, name, "20261122T021533Z");
    EXPECT_TRUE(folder.ok()) << folder.status().message();
    return *std::move(folder);
  }
  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(base)) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
  const fs::path base;
};

TEST_F(Folder, ExistsOnlyWhenItIsComplete) {
  auto folder = open();
  EXPECT_TRUE(folder->append_trace("{}\n").ok());
  EXPECT_FALSE(fs::exists(folder->path()));
  ASSERT_TRUE(folder->commit(sample_run()).ok());
  EXPECT_EQ(entries(), (std::vector<std::string>{"20261122T021533Z-my-scenarios", "latest"}));
  EXPECT_EQ(read(base / "latest" / "trace.jsonl"), "{}\n");
  EXPECT_EQ(read(base / "latest" / "result.json"), result_json(sample_run()));
  EXPECT_TRUE(fs::exists(base / "latest" / "junit.xml"));
  EXPECT_FALSE(fs::exists(base / "latest" / "workers.log"));
  EXPECT_TRUE(read_result(base / "latest").ok());
}

TEST_F(Folder, LeavesNothingWhenAbandoned) {
  { auto folder = open(); }
  EXPECT_TRUE(entries().empty());
}

TEST_F(Folder, TwoRunsOfOneSecondGetTwoNamesAndTheLastIsLatest) {
  auto first = open(), second = open();
  ASSERT_TRUE(first->commit(sample_run()).ok());
  auto third = open();
  ASSERT_TRUE(second->commit(sample_run()).ok());
  EXPECT_EQ(fs::read_symlink(base / "latest"), "20261122T021533Z-my-scenarios-2");
  ASSERT_TRUE(third->commit(sample_run()).ok());
  EXPECT_EQ(fs::read_symlink(base / "latest"), "20261122T021533Z-my-scenarios-3");
}

TEST_F(Folder, FailingFilesAreWrittenOncePerText) {
  auto folder = open();
  EXPECT_EQ(*folder->add_failing("x.ranks=2", "one"), "failing/x.ranks-2.yaml");
  EXPECT_EQ(*folder->add_failing("x.ranks=2", "one"), "failing/x.ranks-2.yaml");
  EXPECT_EQ(*folder->add_failing("x.ranks:2", "two"), "failing/x.ranks-2.2.yaml");
  ASSERT_TRUE(folder->commit(sample_run()).ok());
  EXPECT_EQ(read(folder->path() / "failing/x.ranks-2.2.yaml"), "two");
}

TEST_F(Folder, SaysWhenItCannotBeMade) {
  fs::create_directories(base.parent_path());
  std::ofstream(base) << "a file is in the way";
  const auto folder = RunFolder::open(base, "x", "now");
  ASSERT_FALSE(folder.ok());
  EXPECT_EQ(folder.status().code(), Code::usage);
  EXPECT_NE(folder.status().message().find("reloadlab_folder_test"), std::string::npos);
}

TEST(FileStem, IsFitForAnyFileSystem) {
  EXPECT_EQ(file_stem("a b/c[ranks=2]"), "a-b-c-ranks-2");
  EXPECT_EQ(file_stem("../../etc"), "etc");
  EXPECT_EQ(file_stem("..."), "run");
}

}  // namespace
}  // namespace reloadlab::tests
