#include "sim/report/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace reloadlab::sim {

size_t columns(std::string_view utf8) {
  return static_cast<size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string padded(std::string text, size_t width) {
  const size_t have = columns(text);
  if (have < width) text.append(width - have, ' ');
  return text;
}

std::string shortened(const std::string& text, size_t most) { return text.size() <= most ? text : text.substr(0, most - 1) + "~"; }

std::string wrapped(std::string_view text, size_t width) {
  std::string out;
  while (columns(text) > width) {
    size_t most = 0;  // bytes of so many columns
    for (size_t have = 0; have <= width; ++most)
      if (columns(text.substr(most, 1)) > 0 && ++have > width) break;
    const size_t blank = text.substr(0, most + 1).rfind(' ');
    const size_t end = blank == std::string_view::npos || blank <= text.find_first_not_of(' ') ? most : blank;
    out += std::string(text.substr(0, text.substr(0, end).find_last_not_of(' ') + 1)) + "\n";
    text.remove_prefix(end);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  }
  return text.empty() ? out : out + std::string(text) + "\n";
}

std::string grouped(int64_t number) {
  std::string digits = fmt::format("{}", number);
  const size_t first = number < 0 ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string plural(int64_t number, std::string_view noun) { return fmt::format("{} {}{}", grouped(number), noun, number == 1 ? "" : "s"); }

std::string seconds_text(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  return fmt::format("{} min {} s", whole / 60, whole % 60);
}

std::string shell_word(std::string_view text) {
  constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";
  if (!text.empty() && text.find_first_not_of(plain) == text.npos) return std::string(text);
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

std::string printable(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') c = '?';
  return text;
}

std::string aligned(const std::vector<std::vector<std::string>>& rows, std::string_view between) {
  std::vector<size_t> widths;
  for (const auto& row : rows)
    for (size_t column = 0; column < row.size(); ++column) {
      if (widths.size() <= column) widths.push_back(0);
      widths[column] = std::max(widths[column], columns(row[column]));
    }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t column = 0; column < row.size(); ++column)
      line += (column ? std::string(between) : std::string()) + padded(row[column], widths[column]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace reloadlab::sim
