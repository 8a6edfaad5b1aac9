// Scenarios are found by their folder, so what registers one is: a folder that scenarios/README.md names, a suffix that a run takes,
// and the name that its file has. Expectations belong to a scenario that is there.
#include <fmt/format.h>

#include <algorithm>

#include "tests/tidy/checks.h"

namespace reloadlab::tidy {
namespace {

constexpr std::string_view root = "scenarios", expectations = "scenarios/expectations", suffix = ".yaml";
constexpr std::string_view release_tables = "scenarios/expectations/releases";

// Which folder's scenarios the table of a release tells, as ci/peers has it.
constexpr std::pair<std::string_view, std::string_view> tables[] = {
    {"vllm@", "layerwise"}, {"vllm-oq@", "online_quant"}, {"vllm-ascend@", "shared_series"}};

bool is_expectation(std::string_view path) { return is_below(path, expectations); }
bool is_table(std::string_view path) { return folder_of(path) == release_tables && path.ends_with(".txt"); }
bool is_readme(std::string_view path) { return name_of(path) == "README.md"; }
std::string_view stem_of(std::string_view path) { return name_of(path).substr(0, name_of(path).rfind('.')); }

// What stands behind "key: " at the beginning of a line.
std::string_view value_of(const std::vector<std::string>& lines, std::string_view key) {
  for (std::string_view line : lines)
    if (line.starts_with(key) && line.substr(key.size()).starts_with(": ")) return line.substr(key.size() + 2);
  return {};
}

bool has_line_with(const std::vector<std::string>& lines, std::string_view text) {
  return std::any_of(lines.begin(), lines.end(), [&](std::string_view line) { return line.find(text) != line.npos; });
}

void check_scenario(const Tree& tree, const std::string& path, Complaints& complaints) {
  std::string name(stem_of(path));
  std::replace(name.begin(), name.end(), '_', '-');
  if (value_of(tree.at(path), "scenario") != name)
    complaints.push_back(message(path, 1, "a scenario that is not called as its file", fmt::format("scenario: {}", name)));
  for (const auto& [other, lines] : tree)
    if (other < path && is_below(other, root) && !is_expectation(other) && stem_of(other) == stem_of(path) && !is_readme(other))
      complaints.push_back(message(path, 1, fmt::format("a scenario that is called as {}", other), "a name of its own"));
  const std::string folder(name_of(folder_of(path)));
  const auto readme = tree.find("scenarios/README.md");
  if (readme == tree.end() || !has_line_with(readme->second, "`" + folder + "/`"))
    complaints.push_back(
        message(path, 1, "a scenario in a folder that is not registered", fmt::format("`{}/` in scenarios/README.md", folder)));
}

void check_expectation(const Tree& tree, const std::string& path, Complaints& complaints) {
  const std::string_view system = name_of(folder_of(path)), name = value_of(tree.at(path), "scenario");
  if (name != stem_of(path))
    complaints.push_back(
        message(path, 1, "expectations that are not called as their scenario", fmt::format("scenario: {}", stem_of(path))));
  const bool known = std::any_of(tree.begin(), tree.end(), [&](const auto& file) {
    return is_below(file.first, root) && !is_expectation(file.first) && value_of(file.second, "scenario") == stem_of(path) &&
           value_of(file.second, "system") == system;
  });
  if (!known)
    complaints.push_back(message(path, 1, fmt::format("expectations of no scenario of {}", system), "the name of one, or git rm"));
}

bool has_row(const std::vector<std::string>& table, std::string_view scenario) {
  return std::ranges::any_of(
      table, [&](std::string_view line) { return line.starts_with(scenario) && line.substr(scenario.size()).starts_with(' '); });
}

// By ci/peers without --models.
bool is_played(const std::string& scenario, const std::vector<std::string>& lines, std::string_view system) {
  if (!scenario.ends_with(suffix) || value_of(lines, "system") != system) return false;
  const std::string_view folder = folder_of(scenario);
  return folder == fmt::format("{}/{}", root, system) || folder == fmt::format("{}/bugs", root) ||
         (folder == fmt::format("{}/models", root) && stem_of(scenario).ends_with("_shrunk"));
}

void check_table(const Tree& tree, const std::string& path, Complaints& complaints) {
  const std::string_view release = stem_of(path);
  const auto system = std::ranges::find_if(tables, [&](const auto& each) { return release.starts_with(each.first); });
  for (const auto& [scenario, lines] : tree)
    if (system != std::end(tables) && is_played(scenario, lines, system->second) && !has_row(tree.at(path), value_of(lines, "scenario")))
      complaints.push_back(message(path, 1, fmt::format("no row for {}", scenario), fmt::format("ci/peers --keep {}", release)));
}

}  // namespace

Complaints check_release_tables(const Tree& tree) {
  Complaints complaints;
  for (const auto& [path, lines] : tree)
    if (is_table(path) && !stem_of(path).ends_with(".models")) check_table(tree, path, complaints);
  return complaints;
}

Complaints check_scenarios(const Tree& tree) {
  Complaints complaints;
  for (const auto& [path, lines] : tree) {
    if (!is_below(path, root) || is_readme(path) || is_table(path)) continue;
    if (!path.ends_with(suffix))
      complaints.push_back(message(path, 1, "a file that no run finds", "a name that ends in .yaml, or git rm"));
    else if (is_expectation(path))
      check_expectation(tree, path, complaints);
    else
      check_scenario(tree, path, complaints);
  }
  return complaints;
}

}  // namespace reloadlab::tidy
