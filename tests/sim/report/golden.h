#pragma once
// Compares text with a file under golden/. In the file, {any} stands for any text within a line. RELOADLAB_UPDATE_GOLDEN=1 writes what is
// missing or different, for a person to read in the diff.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace reloadlab::tests {

// True when `text` is `pattern` with every {any} replaced by something without a line break.
bool matches(std::string_view text, std::string_view pattern);
testing::AssertionResult is_golden(const std::string& text, const std::string& file);

}  // namespace reloadlab::tests
