// The arrows of the house: who may include whom.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "tests/tidy/checks.h"

namespace reloadlab::tidy {
namespace {

struct Arrows {
  std::string_view from;             // a folder or a file; the longest row that covers a file counts
  std::vector<std::string_view> to;  // beside itself, reference/base and what the rows above it allow
};

// cli -> campaign -> {report, replay} -> {law, world, candidate, checkpoint} -> evidence -> scenario -> reference/model -> reference/base
const std::vector<Arrows>& arrows() {
  static const std::vector<Arrows> table = {
      {"reference/base", {}},
      {"reference/model", {}},
      {"reference/layerwise", {"reference/model"}},
      {"reference/online_quant", {"reference/layerwise", "reference/model"}},
      {"reference/shared_series", {"reference/model"}},
      {"sim/scenario", {"reference/model"}},
      {"sim/evidence", {"sim/scenario", "reference/model"}},
      {"sim/checkpoint", {"sim/scenario", "reference/model"}},
      {"sim/import", {"sim/checkpoint", "sim/scenario", "reference/model"}},
      {"sim/world", {"sim/evidence", "sim/scenario", "reference/model"}},
      {"sim/explore", {"sim/world"}},
      {"sim/candidate", {"sim/evidence", "sim/scenario", "reference/model"}},
      // The one file that names the engines.
      {"sim/candidate/builtin.cpp", {"sim/candidate", "sim/evidence", "sim/scenario", "reference"}},
      // Laws number elements and read digits as checkpoints write them.
      {"sim/law", {"sim/evidence", "sim/scenario", "sim/checkpoint/digits.h", "reference/model"}},
      {"sim/replay", {"sim/law", "sim/world", "sim/candidate", "sim/checkpoint", "sim/evidence", "sim/scenario", "reference/model"}},
      {"sim/report", {"sim/law", "sim/evidence", "sim/scenario", "reference/model"}},
      {"sim/campaign",
       {"sim/report", "sim/replay", "sim/law", "sim/world/meeting_place.h", "sim/world/modelled/rates.h", "sim/world/seat.h",
        "sim/candidate", "sim/evidence", "sim/scenario", "reference/model"}},
      // The files that play cases under many schedules.
      {"sim/campaign/explore_case.cpp",
       {"sim/campaign", "sim/explore", "sim/replay", "sim/law", "sim/world", "sim/candidate", "sim/evidence", "sim/scenario",
        "reference/model"}},
      {"sim/campaign/scheduled.cpp",
       {"sim/campaign", "sim/explore", "sim/replay", "sim/law", "sim/world", "sim/candidate", "sim/evidence", "sim/scenario",
        "reference/model"}},
      {"sim/fuzz", {"sim/campaign", "sim/report", "sim/law", "sim/evidence", "sim/scenario", "reference/model"}},
      {"sim/compare", {"sim/campaign", "sim/report", "sim/evidence", "sim/scenario", "reference/model"}},
      {"sim/attach", {"sim/campaign", "sim/replay", "sim/report", "sim/law", "sim/evidence", "sim/scenario", "reference/model"}},
      {"sim/cli", {"sim", "reference/model"}},
      // The one file that makes the mutants known to the program.
      {"sim/cli/main.cpp", {"sim", "reference/model", "tests/mutants"}},
      {"sim/python", {"sim", "reference/model", "tests/mutants"}},
      {"tests/reference", {"tests", "reference"}},
      {"tests", {"reference", "sim"}},
      {"bench", {"reference", "sim"}},
      {"cmake", {}},
  };
  return table;
}

// What laws, reports and parsers need no tensor for, and must stay buildable and testable without.
constexpr std::string_view tensor_free[] = {
    "reference/base",
    "sim/scenario",
    "sim/import",
    "sim/evidence",
    "sim/law",
    "sim/report",
    "sim/fuzz",
    "sim/checkpoint/json_tree.h",
    "sim/checkpoint/json_tree.cpp",
    "sim/checkpoint/safetensors.h",
    "sim/checkpoint/safetensors.cpp",
    "sim/checkpoint/safetensors_file.cpp",
    "sim/checkpoint/safetensors_source.h",
    "sim/checkpoint/safetensors_source.cpp",
    "sim/checkpoint/digits.h",
    "sim/checkpoint/digits.cpp",
    "sim/checkpoint/names.h",
    "sim/checkpoint/names.cpp",
    "sim/checkpoint/name_tables.cpp",
    "sim/checkpoint/placing.h",
    "sim/checkpoint/placing.cpp",
    "sim/checkpoint/values.h",
    "sim/checkpoint/synthetic.cpp",
    "sim/checkpoint/perturb.cpp",
};
constexpr std::string_view tensor_headers[] = {"ATen", "torch", "c10", "caffe2"};

const Arrows* row_of(std::string_view path) {
  const Arrows* best = nullptr;
  for (const Arrows& row : arrows())
    if (is_below(path, row.from) && (best == nullptr || row.from.size() > best->from.size())) best = &row;
  return best;
}

bool allowed(const Arrows& row, std::string_view target) {
  auto covers = [&](std::string_view folder) { return is_below(target, folder); };
  return covers(row.from) || covers("reference/base") || std::any_of(row.to.begin(), row.to.end(), covers);
}

bool is_tensor_header(std::string_view target) {
  return std::any_of(std::begin(tensor_headers), std::end(tensor_headers),
                     [&](std::string_view folder) { return is_below(target, folder); });
}

// The way from a file to a LibTorch header through our own headers, as " -> " steps; empty when there is none.
std::string way_to_tensors(const Tree& tree, const std::string& path, std::set<std::string>& visited) {
  auto file = tree.find(path);
  if (file == tree.end() || !visited.insert(path).second) return {};
  for (const Include& include : includes_of(file->second)) {
    if (is_tensor_header(include.target)) return include.target;
    if (!include.ours) continue;
    if (std::string way = way_to_tensors(tree, include.target, visited); !way.empty()) return fmt::format("{} -> {}", include.target, way);
  }
  return {};
}

// "| `sim/law` | `sim/evidence`, `reference/model` |"
std::string told(const Arrows& row) {
  std::string targets;
  for (std::string_view target : row.to) targets += fmt::format("{}`{}`", targets.empty() ? "" : ", ", target);
  return fmt::format("| `{}` | {} |", row.from, targets);
}

}  // namespace

Complaints check_arrows_told(const Tree& tree) {
  constexpr std::string_view readme = "sim/README.md";
  Complaints complaints;
  const auto found = tree.find(readme);
  for (const Arrows& row : arrows()) {
    if (!is_below(row.from, "sim")) continue;
    if (found == tree.end() || std::find(found->second.begin(), found->second.end(), told(row)) == found->second.end())
      complaints.push_back(message(readme, 1, fmt::format("the arrows of {} are not told", row.from), told(row)));
  }
  return complaints;
}

Complaints check_arrows(const Tree& tree) {
  Complaints complaints;
  for (const auto& [path, lines] : tree) {
    if (!is_cpp(path)) continue;
    const Arrows* row = row_of(path);
    if (row == nullptr) complaints.push_back(message(path, 1, "a folder without arrows", "a row in the table of tests/tidy/arrows.cpp"));
    for (const Include& include : includes_of(lines)) {
      if (row == nullptr || !include.ours) continue;
      if (!tree.contains(include.target)) {
        complaints.push_back(message(path, include.line, fmt::format("\"{}\" is no file of ours", include.target),
                                     "the path from the root in quotes, or <> for others' headers"));
      } else if (!allowed(*row, include.target)) {
        complaints.push_back(message(path, include.line, fmt::format("{} must not include \"{}\"", row->from, include.target),
                                     "what the arrows of tests/tidy/arrows.cpp allow, or turn the dependency around"));
      }
    }
  }
  return complaints;
}

Complaints check_tensor_free(const Tree& tree) {
  Complaints complaints;
  for (const auto& [path, lines] : tree) {
    std::string_view file = path;
    if (!is_cpp(path) ||
        std::none_of(std::begin(tensor_free), std::end(tensor_free), [&](std::string_view part) { return is_below(file, part); })) {
      continue;
    }
    for (const Include& include : includes_of(lines)) {
      std::set<std::string> visited;
      std::string way = is_tensor_header(include.target) ? include.target
                        : include.ours                   ? way_to_tensors(tree, include.target, visited)
                                                         : "";
      if (way.empty()) continue;
      if (way != include.target) way = fmt::format("{} -> {}", include.target, way);
      complaints.push_back(
          message(path, include.line, fmt::format("LibTorch where no tensor is needed: {}", way), "a header without tensors"));
    }
  }
  for (std::string_view part : tensor_free) {
    bool found = std::any_of(tree.begin(), tree.end(), [&](const auto& file) { return is_below(file.first, part); });
    if (!found && part.ends_with(".cpp"))
      complaints.push_back(message(part, 1, "is to be free of tensors and does not exist", "its new name in tests/tidy/arrows.cpp"));
  }
  return complaints;
}

}  // namespace reloadlab::tidy
