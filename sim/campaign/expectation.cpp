#include "sim/campaign/expectation.h"

#include <fmt/format.h>

#include <algorithm>

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

bool Expectation::covers(std::string_view candidate_name, std::string_view law_id, std::string_view variant) const {
  return candidate == candidate_name && law == law_id &&
         (variants.empty() || std::find(variants.begin(), variants.end(), variant) != variants.end());
}

std::string Expectation::place(const fs::path& path) const { return fmt::format("{}:{}:{}", path.string(), rule_at.line, rule_at.column); }

const Expectation* ExpectationFile::find(std::string_view candidate, std::string_view law, std::string_view variant) const {
  const auto found = std::find_if(known.begin(), known.end(), [&](const Expectation& one) { return one.covers(candidate, law, variant); });
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
