#pragma once
// Text for people: columns that line up although some characters take several bytes, numbers with thousands separators.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace reloadlab::sim {

size_t columns(std::string_view utf8);                        // code points; nothing wider than one column is printed here
std::string padded(std::string text, size_t width);           // with blanks on the right
std::string shortened(const std::string& text, size_t most);  // "blocks.~": bytes; REQUIRES most > 0
// In lines of at most so many columns, each with its end; a word that is longer is broken.
std::string wrapped(std::string_view text, size_t width);
std::string grouped(int64_t number);                        // "18,864"
std::string plural(int64_t number, std::string_view noun);  // "1 case", "18,864 cases"
std::string seconds_text(double seconds);                   // "0.4 s", "3 min 12 s"

// As one word of a command: as it is where a shell takes it so, else in quotes.
std::string shell_word(std::string_view text);

// XML 1.0 cannot hold most control characters, escaped or not; a candidate's message may: they become "?".
std::string printable(std::string text);

// Rows of cells, each column as wide as its widest cell, `between` them; no blanks at a line's end.
std::string aligned(const std::vector<std::vector<std::string>>& rows, std::string_view between);

}  // namespace reloadlab::sim
