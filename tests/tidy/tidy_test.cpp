// The checks on the tree that this program was built from.
#include <gtest/gtest.h>

#include "tests/tidy/checks.h"

namespace reloadlab::tidy {
namespace {

const Tree& tree() {
  static const Tree read = read_tree(RELOADLAB_SOURCE_DIR);
  return read;
}

void expect_none(const Complaints& complaints) {
  for (const std::string& complaint : complaints) ADD_FAILURE() << complaint;
}

TEST(Tidy, TheTreeWasFound) {
  EXPECT_TRUE(tree().contains("CMakeLists.txt"));
  EXPECT_TRUE(tree().contains("reference/base/status.h"));
  for (const char* path : {"README.md", ".ci/run", "ci/setup", "scenarios/models/minilm.yaml", "tests/sim/report/golden/result.json"})
    EXPECT_TRUE(tree().contains(path)) << path;
  EXPECT_TRUE(tree().contains("tests/tidy/tidy_test.cpp"));
  EXPECT_GT(tree().size(), 100u);
}

TEST(Tidy, IncludesFollowTheArrows) { expect_none(check_arrows(tree())); }
TEST(Tidy, TheArrowsAreTold) { expect_none(check_arrows_told(tree())); }
TEST(Tidy, WhatNeedsNoTensorIncludesNone) { expect_none(check_tensor_free(tree())); }
TEST(Tidy, EveryFolderSaysWhatItIs) { expect_none(check_readmes(tree())); }
TEST(Tidy, EverySourceIsBuilt) { expect_none(check_registration(tree())); }
TEST(Tidy, EveryHeaderIsIncluded) { expect_none(check_dead_headers(tree())); }
TEST(Tidy, EveryScenarioIsRegistered) { expect_none(check_scenarios(tree())); }
TEST(Tidy, EveryScenarioIsInTheTablesOfReleases) { expect_none(check_release_tables(tree())); }
TEST(Tidy, EveryFileIsNamed) { expect_none(check_dead_files(tree())); }
TEST(Tidy, NoWordOfUnfinishedBusinessNorEnemyOfReplay) { expect_none(check_words(tree())); }
TEST(Tidy, FilesAndLinesAreShort) { expect_none(check_sizes(tree())); }

}  // namespace
}  // namespace reloadlab::tidy
