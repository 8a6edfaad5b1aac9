#pragma once
// Policies: what a system does where implementations differ, one enum a question, in a plain struct. A profile is a filled-in struct; a
// spelling is a profile and changes to it: "hardened,abort=unusable". Parsing, spelling and declaring all walk one table.
//
//   constexpr std::array<std::string_view, 2> scope{"model", "layer"};            // in the order of the enum
//   constexpr std::array rows{policy_row<&MyPolicy::scope>("scope", scope)};
//   constexpr std::array profiles{PolicyProfile<MyPolicy>{"seed", &MyPolicy::seed}};
//   const PolicyTable<MyPolicy> table{"my system", rows, profiles, check_policy};
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reference/base/nearest.h"
#include "reference/base/status.h"

namespace reloadlab {

template <class Policy>
struct PolicyRow {
  std::string_view key;
  std::span<const std::string_view> values;  // in the order of the enum
  size_t (*get)(const Policy&);
  void (*set)(Policy&, size_t);
};

template <class Policy, class Enum>
Policy policy_of(Enum Policy::*);

template <auto member>
constexpr auto policy_row(std::string_view key, std::span<const std::string_view> values) {
  using Policy = decltype(policy_of(member));
  return PolicyRow<Policy>{
      key, values, [](const Policy& policy) { return static_cast<size_t>(policy.*member); },
      [](Policy& policy, size_t value) { policy.*member = static_cast<std::remove_reference_t<decltype(policy.*member)>>(value); }};
}

template <class Policy>
struct PolicyProfile {
  std::string_view name;
  Policy (*make)();
};

template <class Policy>
struct PolicyTable {
  std::string_view system;  // "layerwise reload"
  std::span<const PolicyRow<Policy>> rows;
  std::span<const PolicyProfile<Policy>> profiles;
  Status (*check)(const Policy&);  // combinations that contradict themselves

  // Code::usage with the nearest spelling when a word is unknown or a combination cannot work.
  Result<Policy> parse(std::string_view text) const {
    const std::string_view name = text.substr(0, text.find(','));
    const PolicyProfile<Policy>* profile = nullptr;
    for (const auto& known : profiles)
      if (known.name == name) profile = &known;
    if (!profile) return Status(Code::usage, fmt::format("{} has no profile \"{}\"{}", system, name, did_you_mean(name, profile_names())));
    Policy policy = profile->make();
    for (size_t comma = text.find(','); comma != std::string_view::npos;) {
      const size_t next = text.find(',', comma + 1);
      RELOADLAB_TRY(set_one(policy, text.substr(comma + 1, next == std::string_view::npos ? next : next - comma - 1)));
      comma = next;
    }
    RELOADLAB_TRY(check(policy));
    return policy;
  }

  // The shortest spelling that parse() reads back: the nearer profile and what differs from it.
  std::string spell(const Policy& policy) const {
    std::string best;
    for (const auto& profile : profiles) {
      std::string text(profile.name);
      const Policy base = profile.make();
      for (const auto& row : rows)
        if (row.get(policy) != row.get(base)) text += fmt::format(",{}={}", row.key, row.values[row.get(policy)]);
      if (best.empty() || text.size() < best.size()) best = text;
    }
    return best;
  }

  std::map<std::string, std::string> declared(const Policy& policy) const {
    std::map<std::string, std::string> all;
    for (const auto& row : rows) all.emplace(row.key, row.values[row.get(policy)]);
    return all;
  }

  // What declared() may say.
  std::map<std::string, std::set<std::string>> choices() const {
    std::map<std::string, std::set<std::string>> all;
    for (const auto& row : rows) all[std::string(row.key)].insert(row.values.begin(), row.values.end());
    return all;
  }

  std::vector<std::string_view> profile_names() const {
    std::vector<std::string_view> names;
    for (const auto& profile : profiles) names.push_back(profile.name);
    return names;
  }

 private:
  Status set_one(Policy& policy, std::string_view setting) const {
    const size_t equals = setting.find('=');
    const std::string_view key = setting.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : setting.substr(equals + 1);
    std::vector<std::string_view> keys;
    for (const auto& row : rows) {
      keys.push_back(row.key);
      if (row.key != key) continue;
      for (size_t i = 0; i < row.values.size(); ++i)
        if (row.values[i] == value) return row.set(policy, i), Status();
      return Status(Code::usage, fmt::format("policy {} is one of {}, not \"{}\"{}", key, fmt::join(row.values, ", "), value,
                                             did_you_mean(value, row.values)));
    }
    return Status(Code::usage, fmt::format("{} has no policy \"{}\"{}", system, key, did_you_mean(key, keys)));
  }
};

// What a contradiction is refused with; ok when there is none.
inline Status policy_needs(bool broken, std::string_view what) {
  return broken ? Status(Code::usage, fmt::format("policy {}", what)) : Status();
}

}  // namespace reloadlab
