#include "sim/candidate/declared.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <ranges>

#include "reference/base/nearest.h"
#include "sim/candidate/builtin.h"

namespace reloadlab::sim {
namespace {

using Choices = std::map<std::string, std::set<std::string>>;

const Choices& choices() {
  static const Choices all = [] {
    Choices known = builtin_policies();
    known["completion"].insert("finish");
    known["reports"] = {"yes", "no"};
    return known;
  }();
  return all;
}

}  // namespace

Status check_declared(const CandidateInfo& info) {
  for (const auto& [policy, value] : info.declared) {
    const auto known = choices().find(policy);
    if (known == choices().end())
      return {Code::data, fmt::format("{} declares \"{}\", which is no policy{}", info.name, policy,
                                      did_you_mean(policy, std::views::keys(choices())))};
    if (!known->second.contains(value))
      return {Code::data, fmt::format("{} declares {}=\"{}\", expected {}{}", info.name, policy, value, fmt::join(known->second, ", "),
                                      did_you_mean(value, known->second))};
  }
  return {};
}

}  // namespace reloadlab::sim
