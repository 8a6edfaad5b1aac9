#include "sim/campaign/expectation.h"

#include <fmt/format.h>

#include <algorithm>

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

std::string Expectation::place(const fs::path& path) const { return fmt::format("{}:{}:{}", path.string(), rule_at.line, rule_at.column); }

const Expectation* ExpectationFile::find(std::string_view candidate, std::string_view law, std::string_view variant,
                                         std::string_view world) const {
  const auto found = std::find_if(known.begin(), known.end(),
                                  [&](const Expectation& one) { return one.covers(candidate, law, variant) && one.covers_world(world); });
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
