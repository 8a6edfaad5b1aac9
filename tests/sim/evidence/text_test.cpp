#include "sim/evidence/text.h"

#include <gtest/gtest.h>

namespace reloadlab::sim {
namespace {

std::vector<std::byte> text_bytes_of(std::string_view text) {
  std::vector<std::byte> bytes;
  for (char c : text) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

TEST(Text, Base64MatchesItsDefinition) {
  const std::pair<std::string_view, std::string_view> pairs[] = {{"", ""},        {"f", "Zg=="},          {"fo", "Zm8="},
                                                                 {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "+/8="}};
  for (const auto& [plain, coded] : pairs) {
    EXPECT_EQ(base64(text_bytes_of(plain)), coded);
    EXPECT_EQ(from_base64(coded), text_bytes_of(plain));
  }
}

TEST(Text, Base64ThatIsNotExactIsRefused) {
  for (const char* coded : {"Z", "Zg", "Zg=", "Z===", "====", "Zh==", "Zm9=", "Zm 9", "Zg==Zg==", "Zm9v\n"})
    EXPECT_FALSE(from_base64(coded)) << coded;
}

TEST(Text, Utf8IsCheckedToTheLetter) {
  for (const char* good : {"", "a", "\u00fc", "\u20ac", "\U0001F600", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_utf8(good)) << good;
  for (const char* bad : {"\xff", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\x80"})
    EXPECT_FALSE(is_utf8(bad));
  EXPECT_EQ(valid_utf8("a\xff\u00fc\xc3"), "a?\u00fc?");
}

}  // namespace
}  // namespace reloadlab::sim
