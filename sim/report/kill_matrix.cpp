#include "sim/report/kill_matrix.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

using Names = std::set<std::string>;

// A smallest set of names that meets every one of the sets: the search takes each name of a set that has fewest, and gives up where it
// cannot become better than the best there is.
class Cover {
 public:
  std::vector<std::string> of(std::vector<Names> sets) {
    without_supersets(sets);
    search(sets, {});
    std::ranges::sort(best_);
    return best_;
  }

 private:
  // What meets a set meets every set that holds it.
  static void without_supersets(std::vector<Names>& sets) {
    std::ranges::sort(sets);
    const auto repeated = std::ranges::unique(sets);
    sets.erase(repeated.begin(), repeated.end());
    const std::vector<Names> all = sets;
    std::erase_if(sets, [&](const Names& set) {
      return std::ranges::any_of(all, [&](const Names& other) { return other.size() < set.size() && std::ranges::includes(set, other); });
    });
  }

  // Sets that share no name need a name each: no cover is smaller.
  static size_t least(const std::vector<Names>& sets) {
    Names taken;
    size_t count = 0;
    for (const Names& set : sets) {
      if (std::ranges::any_of(set, [&](const std::string& name) { return taken.contains(name); })) continue;
      taken.insert(set.begin(), set.end());
      ++count;
    }
    return count;
  }

  void search(const std::vector<Names>& sets, std::vector<std::string> chosen) {
    if (found_ && chosen.size() + least(sets) >= best_.size()) return;
    if (sets.empty()) {
      best_ = std::move(chosen), found_ = true;
      return;
    }
    const Names& smallest = *std::ranges::min_element(sets, {}, &Names::size);
    for (const std::string& name : by_use(smallest, sets)) {
      std::vector<Names> left = sets;
      std::erase_if(left, [&](const Names& set) { return set.contains(name); });
      chosen.push_back(name);
      search(left, chosen);
      chosen.pop_back();
    }
  }

  // Those that meet most sets first, so that the first cover found is a good one.
  static std::vector<std::string> by_use(const Names& names, const std::vector<Names>& sets) {
    std::vector<std::string> order(names.begin(), names.end());
    std::ranges::stable_sort(order, std::greater(), [&](const std::string& name) {
      return std::ranges::count_if(sets, [&](const Names& set) { return set.contains(name); });
    });
    return order;
  }

  std::vector<std::string> best_;
  bool found_ = false;
};

}  // namespace

std::vector<std::pair<std::string, std::vector<std::string>>> KillMatrix::alone(const std::vector<std::string>& laws) const {
  std::vector<std::pair<std::string, std::vector<std::string>>> all;
  for (const std::string& law : laws) {
    auto& [name, mutants] = all.emplace_back(law, std::vector<std::string>());
    for (const auto& [mutant, by_law] : kills_)
      if (by_law.size() == 1 && by_law.contains(law)) mutants.push_back(mutant);
  }
  return all;
}

std::vector<std::string> KillMatrix::fewest_scenarios() const {
  std::vector<Names> sets;
  for (const auto& [mutant, by_law] : kills_) {
    Names& scenarios = sets.emplace_back();
    for (const auto& [law, where] : by_law) scenarios.insert(where.begin(), where.end());
  }
  return Cover().of(std::move(sets));
}

nlohmann::ordered_json KillMatrix::json(const std::vector<std::string>& laws) const {
  nlohmann::ordered_json json{{"reloadlab", 1}, {"kind", "kill_matrix"}, {"kills", kills_}, {"fewest_scenarios", fewest_scenarios()}};
  for (const auto& [law, mutants] : alone(laws)) json["alone"][law] = mutants;
  return json;
}

std::string KillMatrix::text(const std::vector<std::string>& laws) const {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> never;
  for (const auto& [law, mutants] : alone(laws)) {
    if (mutants.empty()) never.push_back(law);
    size_t killed = 0;
    for (const auto& [mutant, by_law] : kills_) killed += by_law.contains(law);
    rows.push_back({law, fmt::format("kills {}", killed), fmt::format("{} alone", mutants.size()), mutants.empty() ? "" : mutants.front()});
  }
  const std::vector<std::string> fewest = fewest_scenarios();
  return fmt::format("\n{}laws that never kill alone: {}\n{} kill{} all: {}\n", aligned(rows, "  "),
                     never.empty() ? "none" : fmt::to_string(fmt::join(never, ", ")),
                     plural(static_cast<int64_t>(fewest.size()), "scenario"), fewest.size() == 1 ? "s" : "", fmt::join(fewest, ", "));
}

}  // namespace reloadlab::sim
