#include "reference/layerwise/policy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <span>

#include "reference/base/nearest.h"

namespace reloadlab::layerwise {
namespace {

// One policy: its key, and its values in the order of its enum.
struct Row {
  std::string_view key;
  std::span<const std::string_view> values;
  size_t (*get)(const LayerwisePolicy&);
  void (*set)(LayerwisePolicy&, size_t);
};

template <auto member>
constexpr Row row(std::string_view key, std::span<const std::string_view> values) {
  return {key, values, [](const LayerwisePolicy& policy) { return static_cast<size_t>(policy.*member); },
          [](LayerwisePolicy& policy, size_t value) {
            policy.*member = static_cast<std::remove_reference_t<decltype(policy.*member)>>(value);
          }};
}

constexpr std::array<std::string_view, 2> completion{"numel", "elements"}, grouping{"layer", "storage"},
    unloaded{"uninitialized", "preserve"}, shadow{"none", "keep"}, buffering{"by_reference", "owned"}, names{"reregister", "keep"},
    records{"lent", "sealed"}, layout{"dense", "exact"}, misuse{"undefined", "error"}, copy_back{"coerce", "exact"},
    failed_load{"keep", "undo"}, scales{"unsupported", "reload"}, skipped{"wrapped", "live"}, derived{"in_turn", "in_place"},
    lifetime{"registry", "model"};
constexpr std::array<std::string_view, 4> coverage{"silent", "accept", "warn", "reject"};
constexpr std::array<std::string_view, 3> abandon{"none", "backup", "unusable"};

using P = LayerwisePolicy;
constexpr std::array table{
    row<&P::completion>("completion", completion),
    row<&P::grouping>("grouping", grouping),
    row<&P::unloaded>("unloaded", unloaded),
    row<&P::shadow>("shadow", shadow),
    row<&P::buffering>("buffering", buffering),
    row<&P::names>("names", names),
    row<&P::records>("records", records),
    row<&P::layout>("layout", layout),
    row<&P::excess>("excess", coverage),
    row<&P::missing>("missing", coverage),
    row<&P::unexpected>("unexpected", coverage),
    row<&P::abort>("abort", abandon),
    row<&P::misuse>("misuse", misuse),
    row<&P::copy_back>("copy_back", copy_back),
    row<&P::failed_load>("failed_load", failed_load),
    row<&P::scales>("scales", scales),
    row<&P::skipped>("skipped", skipped),
    row<&P::derived>("derived", derived),
    row<&P::lifetime>("lifetime", lifetime),
};

struct Profile {
  std::string_view name;
  LayerwisePolicy (*make)();
};
constexpr std::array profiles{Profile{"seed", &LayerwisePolicy::seed}, Profile{"hardened", &LayerwisePolicy::hardened}};

std::vector<std::string_view> policy_keys() {
  std::vector<std::string_view> keys;
  for (const Row& known : table) keys.push_back(known.key);
  return keys;
}

Status set_one(LayerwisePolicy& policy, std::string_view setting) {
  const size_t equals = setting.find('=');
  const std::string_view key = setting.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? std::string_view() : setting.substr(equals + 1);
  for (const Row& known : table) {
    if (known.key != key) continue;
    for (size_t i = 0; i < known.values.size(); ++i)
      if (known.values[i] == value) return known.set(policy, i), Status();
    return Status(Code::usage, fmt::format("policy {} is one of {}, not \"{}\"{}", key, fmt::join(known.values, ", "), value,
                                           did_you_mean(value, known.values)));
  }
  return Status(Code::usage, fmt::format("layerwise reload has no policy \"{}\"{}", key, did_you_mean(key, policy_keys())));
}

// Combinations that contradict themselves. Each names what would have to change.
Status check_policy(const LayerwisePolicy& policy) {
  auto needs = [](bool broken, std::string_view what) {
    return broken ? Status(Code::usage, std::string("policy ") + std::string(what)) : Status();
  };
  const bool sealed = policy.records == Records::sealed;
  RELOADLAB_TRY(needs(policy.completion == Completion::elements && !sealed, "completion=elements needs records=sealed"));
  RELOADLAB_TRY(needs(policy.grouping == Grouping::storage && !sealed, "grouping=storage needs records=sealed"));
  RELOADLAB_TRY(needs(sealed && policy.grouping == Grouping::layer, "records=sealed needs grouping=storage"));
  RELOADLAB_TRY(needs(sealed && policy.names == Names::reregister, "records=sealed needs names=keep"));
  RELOADLAB_TRY(needs(policy.abort != Abort::none && (!sealed || policy.failed_load == FailedLoad::keep),
                      "abort needs records=sealed and failed_load=undo"));
  RELOADLAB_TRY(
      needs(policy.failed_load == FailedLoad::undo && policy.copy_back == CopyBack::coerce, "failed_load=undo needs copy_back=exact"));
  RELOADLAB_TRY(needs(policy.shadow == ShadowCopies::keep && (policy.unloaded != Unloaded::preserve || policy.misuse != Misuse::error),
                      "shadow=keep needs unloaded=preserve and misuse=error"));
  RELOADLAB_TRY(needs(policy.misuse == Misuse::error && !sealed, "misuse=error needs records=sealed"));
  return needs(policy.lifetime == Lifetime::model && (!sealed || policy.misuse == Misuse::undefined),
               "lifetime=model needs records=sealed and misuse=error");
}

}  // namespace

LayerwisePolicy LayerwisePolicy::hardened() {
  return {.completion = Completion::elements,
          .grouping = Grouping::storage,
          .unloaded = Unloaded::preserve,
          .buffering = Buffering::owned,
          .names = Names::keep,
          .records = Records::sealed,
          .layout = Layout::exact,
          .excess = Coverage::warn,
          .missing = Coverage::warn,
          .unexpected = Coverage::warn,
          .abort = Abort::backup,
          .misuse = Misuse::error,
          .copy_back = CopyBack::exact,
          .failed_load = FailedLoad::undo,
          .scales = Scales::reload,
          .skipped = Skipped::live,
          .derived = Derived::in_place,
          .lifetime = Lifetime::model};
}

Result<LayerwisePolicy> parse_policy(std::string_view text) {
  const std::string_view name = text.substr(0, text.find(','));
  const Profile* profile = nullptr;
  for (const Profile& known : profiles)
    if (known.name == name) profile = &known;
  if (!profile)
    return Status(Code::usage, fmt::format("layerwise reload has no profile \"{}\"{}", name, did_you_mean(name, policy_profiles())));
  LayerwisePolicy policy = profile->make();
  for (size_t comma = text.find(','); comma != std::string_view::npos;) {
    const size_t next = text.find(',', comma + 1);
    RELOADLAB_TRY(set_one(policy, text.substr(comma + 1, next == std::string_view::npos ? next : next - comma - 1)));
    comma = next;
  }
  RELOADLAB_TRY(check_policy(policy));
  return policy;
}

std::string spell_policy(const LayerwisePolicy& policy) {
  std::string best;
  for (const Profile& profile : profiles) {
    std::string text(profile.name);
    const LayerwisePolicy base = profile.make();
    for (const Row& known : table)
      if (known.get(policy) != known.get(base)) text += fmt::format(",{}={}", known.key, known.values[known.get(policy)]);
    if (best.empty() || text.size() < best.size()) best = text;
  }
  return best;
}

std::map<std::string, std::string> declared_policies(const LayerwisePolicy& policy) {
  std::map<std::string, std::string> declared;
  for (const Row& known : table) declared.emplace(known.key, known.values[known.get(policy)]);
  return declared;
}

std::vector<std::string_view> policy_profiles() {
  std::vector<std::string_view> names_of_profiles;
  for (const Profile& profile : profiles) names_of_profiles.push_back(profile.name);
  return names_of_profiles;
}

std::vector<std::string> policy_choices() {
  std::vector<std::string> lines;
  for (const Row& known : table) lines.push_back(fmt::format("{}: {}", known.key, fmt::join(known.values, " | ")));
  return lines;
}

}  // namespace reloadlab::layerwise
