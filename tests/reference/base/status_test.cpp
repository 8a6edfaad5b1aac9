#include "reference/base/status.h"

#include <gtest/gtest.h>

#include "reference/base/check.h"

namespace reloadlab {
namespace {

TEST(Status, is_ok_by_default_and_one_pointer_to_share) {
  EXPECT_TRUE(Status().ok());
  EXPECT_EQ(Status().code(), Code::ok);
  EXPECT_EQ(Status().message(), "");
  static_assert(sizeof(Status) == sizeof(std::shared_ptr<int>));
}

TEST(Status, says_what_was_being_done_in_front) {
  const Status status = Status(Code::data, "expected a list").within("steps").within("a.yaml");
  EXPECT_EQ(status.code(), Code::data);
  EXPECT_EQ(status.message(), "a.yaml: steps: expected a list");
  EXPECT_TRUE(Status().within("anything").ok());
}

TEST(Status, codes_have_names_of_their_own) {
  std::vector<std::string_view> names;
  for (Code code : {Code::ok, Code::usage, Code::data, Code::misuse, Code::rejected, Code::failed, Code::unsupported}) {
    EXPECT_EQ(std::count(names.begin(), names.end(), code_name(code)), 0) << code_name(code);
    names.push_back(code_name(code));
  }
}

Result<int> half(int value) {
  if (value % 2 != 0) return Status(Code::rejected, "odd");
  return value / 2;
}
Result<int> quarter(int value) {
  RELOADLAB_ASSIGN(const int once, half(value));
  RELOADLAB_ASSIGN(const int twice, half(once));
  return twice;
}
Status even(int value) {
  RELOADLAB_TRY(half(value).status());
  return {};
}

TEST(Result, is_a_value_or_the_status_why_not) {
  EXPECT_EQ(*half(4), 2);
  EXPECT_TRUE(half(4).status().ok());
  EXPECT_FALSE(half(3).ok());
  EXPECT_EQ(half(3).status().message(), "odd");
}

TEST(Result, macros_return_the_first_failure) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).status().message(), "odd");
  EXPECT_TRUE(even(2).ok());
  EXPECT_EQ(even(1).code(), Code::rejected);
}

TEST(Check, throws_a_defect_with_place_expression_and_context) {
  int evaluated = 0;
  const auto context = [&] { return ++evaluated, std::string("rank 3"); };
  EXPECT_NO_THROW(RELOADLAB_CHECK(1 + 1 == 2, context()));
  EXPECT_EQ(evaluated, 0);
  try {
    RELOADLAB_CHECK(1 + 1 == 3, context());
    FAIL() << "passed";
  } catch (const Defect& defect) {
    const std::string what = defect.what();
    EXPECT_NE(what.find("status_test.cpp"), std::string::npos) << what;
    EXPECT_NE(what.find("1 + 1 == 3"), std::string::npos) << what;
    EXPECT_NE(what.find("rank 3"), std::string::npos) << what;
  }
}

}  // namespace
}  // namespace reloadlab
