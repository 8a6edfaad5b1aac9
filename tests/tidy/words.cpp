// Words that must not stand in the tree, and how long it may be.
#include <fmt/format.h>

#include <algorithm>

#include "tests/tidy/checks.h"

namespace reloadlab::tidy {
namespace {

// Words of unfinished business, in two halves so that this file does not hold them.
constexpr std::string_view unfinished[] = {
    "TO"
    "DO",
    "FIX"
    "ME",
    "XX"
    "X"};

struct Banned {
  std::string_view word;
  std::string_view instead;
};

// Enemies of replay, in the code (not in comments) of reference/ and sim/.
constexpr Banned banned[] = {
    {"system_clock", "the times that the run object of a report is given"},
    {"high_resolution_clock", "std::chrono::steady_clock, for durations that no result holds"},
    {"gettimeofday", "the times that the run object of a report is given"},
    {"time(", "the times that the run object of a report is given"},
    {"rand(", "reloadlab::Prng"},
    {"srand(", "reloadlab::Prng"},
    {"random_device", "a seed that the caller passes"},
    {"mt19937", "reloadlab::Prng"},
    {"default_random_engine", "reloadlab::Prng"},
    {"unordered_", "std::map, std::set or a sorted vector, or a row with its reason in tests/tidy/words.cpp"},
};

struct Exception {
  std::string_view path;  // a file or a folder
  std::string_view word;
  std::string_view reason;
};
constexpr std::string_view looked_up =
    "on the way of every load, operator or look at other ranks; looked up by key, never walked (check_words sees to it)";
constexpr Exception exceptions[] = {
    {"sim/campaign/campaign.cpp", "time(", "the run object says when the run was; nothing else holds it"},
    {"sim/cli/options.cpp", "time(", "the day that quarantines are held against, where --today does not say it"},
    {"reference/base/name_hash.h", "unordered_", looked_up},
    {"reference/model/layer.h", "unordered_", looked_up},
    {"reference/model/check_model.cpp", "unordered_", looked_up},
    {"reference/model/build.cpp", "unordered_", looked_up},
    {"reference/layerwise", "unordered_", looked_up},
    {"sim/replay/catalogue.h", "unordered_", looked_up},
    {"sim/replay/census.h", "unordered_", looked_up},
    {"sim/replay/copy_count.cpp", "unordered_", looked_up},
    {"sim/replay/watch.h", "unordered_", looked_up},
    {"sim/replay/watch.cpp", "unordered_", looked_up},
    {"sim/evidence/archive.h", "unordered_", looked_up},
    {"sim/world/modelled/store.h", "unordered_", looked_up},
};

constexpr size_t file_lines_max = 400;
constexpr size_t line_columns_max = 140;

bool is_letter(char c) { return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Whole words only: "time(" is not in "run_time(". A word that ends in '_' is a beginning.
bool has_word(std::string_view text, std::string_view word) {
  for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
    size_t end = at + word.size();
    bool starts = at == 0 || !is_letter(text[at - 1]);
    bool ends = !is_letter(word.back()) || word.back() == '_' || end == text.size() || !is_letter(text[end]);
    if (starts && ends) return true;
  }
  return false;
}

// The name that a line declares behind "unordered_map<...>": "seen_". Empty when it declares none.
std::string_view unordered_name(std::string_view line) {
  size_t at = line.find("unordered_");
  size_t close = at == line.npos ? at : line.rfind('>');
  if (close == line.npos || close < at) return {};
  std::string_view rest = line.substr(std::min(line.find_first_not_of("> &*", close), line.size()));
  return rest.substr(0, static_cast<size_t>(std::find_if_not(rest.begin(), rest.end(), is_letter) - rest.begin()));
}

// A loop over the container, or the start of one: its order is the machine's.
bool walks(std::string_view line, std::string_view name) {
  for (size_t at = line.find(name); at != line.npos; at = line.find(name, at + 1)) {
    std::string_view before = line.substr(0, at), after = line.substr(at + name.size());
    if (!before.empty() && is_letter(before.back())) continue;
    if (after.starts_with(".begin(") || (after.starts_with(")") && before.ends_with(": "))) return true;
  }
  return false;
}

bool is_excepted(std::string_view path, std::string_view word) {
  return std::any_of(std::begin(exceptions), std::end(exceptions),
                     [&](const Exception& exception) { return exception.word == word && is_below(path, exception.path); });
}

// Characters, not bytes: continuation bytes of UTF-8 take no column.
size_t columns(std::string_view line) {
  return static_cast<size_t>(
      std::count_if(line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// What people write as code. Texts, data and what programs print have lines of their own.
bool is_measured(std::string_view path) {
  return is_cpp(path) || path.ends_with("CMakeLists.txt") || path.ends_with(".cmake") || path.ends_with(".sh") ||
         (is_below(path, "ci") && !path.ends_with(".txt"));
}

// Walks over a container that `declaring` holds unordered, there and in files that include it.
void complain_of_walks(const Tree& tree, const std::string& declaring, std::string_view name, Complaints& complaints) {
  for (const auto& [path, lines] : tree) {
    std::vector<Include> includes = includes_of(lines);
    bool sees =
        path == declaring || std::any_of(includes.begin(), includes.end(), [&](const Include& one) { return one.target == declaring; });
    for (size_t i = 0; sees && i < lines.size(); ++i)
      if (walks(without_comment(lines[i]), name))
        complaints.push_back(
            message(path, static_cast<int>(i + 1), fmt::format("walks {}, which has no order", name), "an ordered container"));
  }
}

}  // namespace

Complaints check_words(const Tree& tree) {
  Complaints complaints;
  for (const auto& [path, lines] : tree) {
    bool replayed = is_cpp(path) && (is_below(path, "reference") || is_below(path, "sim"));
    for (size_t i = 0; i < lines.size(); ++i) {
      int number = static_cast<int>(i + 1);
      for (std::string_view word : unfinished)
        if (has_word(lines[i], word))
          complaints.push_back(message(path, number, fmt::format("{} left behind", word), "the finished thing, or nothing"));
      if (!replayed) continue;
      for (const Banned& one : banned)
        if (has_word(without_comment(lines[i]), one.word) && !is_excepted(path, one.word))
          complaints.push_back(message(path, number, fmt::format("{} is an enemy of replay", one.word), one.instead));
      if (std::string_view name = unordered_name(without_comment(lines[i])); !name.empty()) complain_of_walks(tree, path, name, complaints);
    }
  }
  return complaints;
}

Complaints check_sizes(const Tree& tree) {
  Complaints complaints;
  for (const auto& [path, lines] : tree) {
    if (!is_measured(path)) continue;
    if (lines.size() > file_lines_max) {
      complaints.push_back(message(path, static_cast<int>(file_lines_max + 1), fmt::format("{} lines", lines.size()),
                                   fmt::format("at most {}: a noun in here wants its own file", file_lines_max)));
    }
    for (size_t i = 0; i < lines.size(); ++i)
      if (columns(lines[i]) > line_columns_max)
        complaints.push_back(message(path, static_cast<int>(i + 1), fmt::format("{} columns", columns(lines[i])),
                                     fmt::format("at most {}", line_columns_max)));
  }
  return complaints;
}

}  // namespace reloadlab::tidy
