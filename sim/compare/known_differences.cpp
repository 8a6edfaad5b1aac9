#include "sim/compare/known_differences.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>

#include "reference/base/read_file.h"
#include "sim/scenario/tree.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kSays = "says";
// All of them are wanted.
constexpr std::pair<std::string_view, std::string KnownDifference::*> kKeys[] = {{"first", &KnownDifference::first},
                                                                                 {"candidate", &KnownDifference::candidate},
                                                                                 {"scenario", &KnownDifference::scenario},
                                                                                 {"aspect", &KnownDifference::aspect},
                                                                                 {"reason", &KnownDifference::reason}};

std::vector<std::string_view> aspects() {
  std::vector<std::string_view> all{"verdicts"};
  all.insert(all.end(), std::begin(kAspects), std::end(kAspects));
  return all;
}

class ReadingDifferences {
 public:
  explicit ReadingDifferences(Diagnostics& errors) : errors_(errors) {}

  std::vector<KnownDifference> file(const Node& root) {
    std::vector<KnownDifference> all;
    if (!is(root, Node::Kind::map, "a map")) return all;
    const std::vector<std::string_view> names{"reloadlab", "known"};
    check_keys(root, names);
    const Node::Entry* version = root.find("reloadlab");
    if (!version || version->value->text != "1") errors_.error(version ? version->value->at : root.at, "expected \"reloadlab: 1\"");
    const Node::Entry* known = root.find("known");
    if (!known) errors_.error(root.at, "key \"known\" is missing");
    if (known && is(*known->value, Node::Kind::list, "a list"))
      for (const NodePtr& item : known->value->items) all.push_back(entry(*item));
    return all;
  }

 private:
  bool is(const Node& node, Node::Kind kind, std::string_view wanted) {
    if (node.kind == kind) return true;
    errors_.error(node.at, fmt::format("expected {}, found {}", wanted, describe(node)));
    return false;
  }

  void check_keys(const Node& node, const std::vector<std::string_view>& names) {
    for (const Node::Entry& one : node.entries)
      if (std::ranges::find(names, one.key) == names.end())
        errors_.error(one.at, fmt::format("unknown key \"{}\"", one.key), errors_.suggest(one.key, names));
  }

  void text(const Node& node, std::string_view name, std::string& into) {
    const Node::Entry* found = node.find(name);
    if (!found || found->value->kind != Node::Kind::scalar || found->value->text.empty())
      errors_.error(found ? found->value->at : node.at, fmt::format("key \"{}\" wants text", name));
    else
      into = found->value->text;
  }

  KnownDifference entry(const Node& node) {
    KnownDifference one{.at = node.at};
    if (!is(node, Node::Kind::map, "a map")) return one;
    std::vector<std::string_view> names;
    for (const auto& [name, member] : kKeys) names.push_back(name);
    names.push_back(kSays);
    check_keys(node, names);
    for (const auto& [name, member] : kKeys) text(node, name, one.*member);
    if (node.find(kSays)) text(node, kSays, one.says);
    const auto all = aspects();
    if (!one.aspect.empty() && std::ranges::find(all, one.aspect) == all.end())
      errors_.error(node.find("aspect")->value->at,
                    fmt::format("no aspect is called \"{}\", expected one of {}", one.aspect, fmt::join(all, ", ")),
                    errors_.suggest(one.aspect, all));
    return one;
  }

  Diagnostics& errors_;
};

bool speaks_of(const KnownDifference& known, const Differing& one) {
  return known.first == one.first && known.candidate == one.candidate && ::fnmatch(known.scenario.c_str(), one.scenario.c_str(), 0) == 0;
}

}  // namespace

bool KnownDifference::fits(const Differing& one, const Disagreement& row) const {
  return speaks_of(*this, one) && aspect == row.aspect && ::fnmatch(says.c_str(), disagreement_text(row).c_str(), 0) == 0;
}

Result<std::vector<KnownDifference>> parse_known_differences(std::string_view text, const std::string& file_name) {
  Diagnostics errors(file_name);
  const NodePtr root = load_tree(text, errors);
  std::vector<KnownDifference> all;
  if (root) all = ReadingDifferences(errors).file(*root);
  RELOADLAB_TRY(errors.status());
  return all;
}

Result<std::vector<KnownDifference>> read_known_differences(const std::filesystem::path& file) {
  RELOADLAB_ASSIGN(const std::string text, read_file(file));
  return parse_known_differences(text, file.string());
}

std::vector<std::string> mark_known(const std::vector<KnownDifference>& known, const std::string& file_name, std::vector<Differing>& all) {
  std::vector<std::string> stale;
  for (const KnownDifference& entry : known) {
    bool played = false, fits = false;
    for (Differing& one : all) {
      played = played || (one.left_out.empty() && speaks_of(entry, one));
      for (Disagreement& row : one.rows)
        if (entry.fits(one, row)) fits = true, row.reason = entry.reason;
    }
    if (played && !fits)
      stale.push_back(fmt::format("{}:{}:{}: {} and {} do not differ in {} any more, expected no entry", file_name, entry.at.line,
                                  entry.at.column, entry.first, entry.candidate, entry.aspect));
  }
  return stale;
}

}  // namespace reloadlab::sim
