#include "sim/report/list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "sim/report/steps.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

constexpr size_t kAboutShown = 80;

std::string in_short(std::string about) {
  about.erase(std::min(about.find('\n'), about.size()));
  if (columns(about) <= kAboutShown) return about;
  while (columns(about) >= kAboutShown) about.pop_back();
  return about.substr(0, about.rfind(' ')) + " …";
}

}  // namespace

std::string list_text(std::span<const Case> cases) {
  std::vector<std::vector<std::string>> rows;
  size_t scenarios = 0;
  std::string_view file;
  for (const Case& one : cases) {
    scenarios += one.file != file;
    file = one.file;
    rows.push_back({one.id(), std::string(world_name(one.world)), plural(one.ranks, "rank"), one.system,
                    fmt::format("{}", fmt::join(one.tags, " ")), in_short(one.about)});
  }
  return aligned(rows, "  ") +
         fmt::format("{} in {}\n", plural(static_cast<int64_t>(cases.size()), "case"), plural(static_cast<int64_t>(scenarios), "scenario"));
}

std::string list_json(std::span<const Case> cases) {
  nlohmann::ordered_json json{{"reloadlab", 1}, {"kind", "list"}, {"cases", nlohmann::ordered_json::array()}};
  for (const Case& one : cases) {
    nlohmann::ordered_json steps = nlohmann::ordered_json::array();
    for (const Step& step : one.steps) steps.push_back(step_text(step));
    json["cases"].push_back({{"case", one.id()},
                             {"scenario", one.scenario},
                             {"variant", one.variant},
                             {"file", one.file},
                             {"about", one.about},
                             {"system", one.system},
                             {"world", std::string(world_name(one.world))},
                             {"ranks", one.ranks},
                             {"tags", one.tags},
                             {"laws", one.laws},
                             {"steps", steps}});
  }
  return json.dump(1) + "\n";
}

}  // namespace reloadlab::sim
