#include "reference/base/program.h"

#include <gtest/gtest.h>

namespace reloadlab {
namespace {

TEST(ThisProgram, IsItsFileUnlessWhoHostsItSaysHow) {
  const std::vector<std::string> itself = this_program();
  ASSERT_EQ(1u, itself.size());
  EXPECT_TRUE(itself[0].ends_with("/test_base")) << itself[0];
  hosted_by({"python3", "-m", "reloadlab"});
  EXPECT_EQ((std::vector<std::string>{"python3", "-m", "reloadlab"}), this_program());
  hosted_by({});
  EXPECT_EQ(itself, this_program());
}

}  // namespace
}  // namespace reloadlab
