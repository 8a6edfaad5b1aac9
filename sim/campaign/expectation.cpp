#include "sim/campaign/expectation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <sstream>

#include "sim/scenario/spelling.h"

namespace reloadlab::sim {
namespace fs = std::filesystem;
namespace {

fs::path nearest_root(const fs::path& scenario_file) {
  std::error_code error;
  for (fs::path folder = scenario_file.parent_path();; folder = folder.parent_path()) {
    const fs::path root = folder / "expectations";
    if (fs::is_directory(root, error)) return root;
    if (folder.empty() || folder == folder.parent_path()) return {};
  }
}

fs::path below(const fs::path& root, const Case& the_case) { return root / the_case.system / (the_case.scenario + ".yaml"); }

}  // namespace

std::string_view lasting_execution(std::string_view label) {
  const size_t position = label.find_last_of(' ');
  const bool drawn = label.starts_with("fault ") && position + 1 < label.size() &&
                     label.find_first_not_of("0123456789", position + 1) == std::string_view::npos;
  return drawn ? label.substr(0, position) : label;
}

bool is_drawn(std::string_view lasting) { return lasting.starts_with("fault "); }

std::vector<std::string> world_names() {
  std::vector<std::string> names;
  for (const auto& [kind, name] : world_spellings) names.emplace_back(name);
  return names;
}

bool Expectation::covers(std::string_view candidate_name, std::string_view law_id, std::string_view variant) const {
  return candidate == candidate_name && law == law_id &&
         (variants.empty() || std::find(variants.begin(), variants.end(), variant) != variants.end());
}

bool Expectation::covers_world(std::string_view world) const {
  return worlds.empty() || std::find(worlds.begin(), worlds.end(), world) != worlds.end();
}

namespace {

// Empty lists speak of everything.
bool share(const std::vector<std::string>& one, const std::vector<std::string>& other, auto fits) {
  return one.empty() || other.empty() ||
         std::ranges::any_of(one, [&](const auto& a) { return std::ranges::any_of(other, [&](const auto& b) { return fits(a, b); }); });
}

// Versions of which one has all parts of the other: "2.11" of "2.11.0+cu130", and not of "2.110".
bool begins_with_parts(std::string_view version, std::string_view parts) {
  return version.starts_with(parts) && (version.size() == parts.size() || version[parts.size()] == '.' || version[parts.size()] == '+');
}

bool is_number(std::string_view key) { return std::ranges::find(condition_keys(), key, &ConditionKey::key)->number; }

bool meet(const Conditions& one, const Conditions& other) {
  return std::ranges::all_of(one, [&](const auto& condition) {
    const auto& [key, values] = condition;
    const auto theirs = other.find(key);
    return theirs == other.end() || share(values, theirs->second, [&](const std::string& a, const std::string& b) {
             return a == b || (!is_number(key) && (begins_with_parts(a, b) || begins_with_parts(b, a)));
           });
  });
}

}  // namespace

std::span<const ConditionKey> condition_keys() {
  static constexpr ConditionKey keys[] = {
      {"compute_capability", "of the GPU, such as `\"9.0\"`; it never holds where cases are not played on one", false},
      {"ranks", "of the case, such as `2`", true},
      {"torch", "the LibTorch that the program found, such as `\"2.11\"`, which 2.11.0+cu130 is", false}};
  return keys;
}

bool hold(const Conditions& conditions, const Facts& facts) {
  return std::ranges::all_of(conditions, [&](const auto& condition) {
    const auto& [key, values] = condition;
    const auto fact = facts.find(key);
    return fact != facts.end() && std::ranges::any_of(values, [&](const std::string& value) {
             return is_number(key) ? fact->second == value : begins_with_parts(fact->second, value);
           });
  });
}

std::string conditions_text(const Conditions& conditions) {
  std::vector<std::string> words;
  for (const auto& [key, values] : conditions) words.push_back(fmt::format("{} {}", key, fmt::join(values, " or ")));
  return fmt::format("{}", fmt::join(words, ", "));
}

bool is_day(std::string_view text) {
  std::tm day{};
  std::istringstream in{std::string(text)};
  in >> std::get_time(&day, "%Y-%m-%d");
  if (in.fail() || text.size() != 10) return false;
  const std::chrono::year_month_day date{std::chrono::year(day.tm_year + 1900), std::chrono::month(static_cast<unsigned>(day.tm_mon + 1)),
                                         std::chrono::day(static_cast<unsigned>(day.tm_mday))};
  return date.ok() && fmt::format("{:04}-{:02}-{:02}", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday) == text;
}

bool Expectation::overlaps(const Expectation& other) const {
  const auto same = [](const std::string& a, const std::string& b) { return a == b; };
  return candidate == other.candidate && law == other.law && share(variants, other.variants, same) && share(worlds, other.worlds, same) &&
         meet(when, other.when);
}

std::string Expectation::why() const {
  const std::string conditions = conditions_text(when);
  if (conditions.empty()) return reason;
  return fmt::format("{}{}holds with {}", reason, reason.empty() ? "" : "; ", conditions);
}

std::string Expectation::place(const fs::path& path) const { return fmt::format("{}:{}:{}", path.string(), rule_at.line, rule_at.column); }

const Expectation* ExpectationFile::find(std::string_view candidate, std::string_view law, std::string_view variant, std::string_view world,
                                         const Facts& facts) const {
  const auto found = std::ranges::find_if(known, [&](const Expectation& one) {
    return one.covers(candidate, law, variant) && one.covers_world(world) && hold(one.when, facts);
  });
  return found == known.end() ? nullptr : &*found;
}

fs::path find_expectations(const Case& the_case) {
  const fs::path root = nearest_root(the_case.file);
  std::error_code error;
  if (root.empty() || !fs::is_regular_file(below(root, the_case), error)) return {};
  return below(root, the_case);
}

fs::path place_expectations(const Case& the_case) {
  if (const fs::path root = nearest_root(the_case.file); !root.empty()) return below(root, the_case);
  const fs::path folder = fs::path(the_case.file).parent_path();
  for (fs::path above = folder; !above.empty() && above != above.parent_path(); above = above.parent_path())
    if (above.filename() == "scenarios") return below(above / "expectations", the_case);
  return below(folder / "expectations", the_case);
}

}  // namespace reloadlab::sim
