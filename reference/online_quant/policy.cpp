#include "reference/online_quant/policy.h"

#include <array>

#include "reference/base/policy_table.h"

namespace reloadlab::online_quant {
namespace {

constexpr std::array<std::string_view, 2> scope{"model", "layer"}, created{"rebound", "in_place"}, ties{"first", "all"},
    callables{"bound", "kept"}, restored{"held", "dropped"}, shadow{"none", "keep"};
constexpr std::array<std::string_view, 4> coverage{"silent", "accept", "warn", "reject"};
constexpr std::array<std::string_view, 3> abandon{"none", "backup", "unusable"};

using P = OnlineQuantPolicy;
constexpr std::array rows{
    policy_row<&P::scope>("scope", scope),
    policy_row<&P::created>("created", created),
    policy_row<&P::ties>("ties", ties),
    policy_row<&P::callables>("callables", callables),
    policy_row<&P::restored>("restored", restored),
    policy_row<&P::excess>("excess", coverage),
    policy_row<&P::missing>("missing", coverage),
    policy_row<&P::unexpected>("unexpected", coverage),
    policy_row<&P::abort>("abort", abandon),
    policy_row<&P::shadow>("shadow", shadow),
};
constexpr std::array profiles{PolicyProfile<P>{"seed", &P::seed}, PolicyProfile<P>{"hardened", &P::hardened}};

// A whole model at once has neither accounting nor a way back.
Status check_whole_model(const P& policy) {
  const bool silent = policy.excess == Coverage::silent && policy.missing == Coverage::silent && policy.unexpected == Coverage::silent;
  RELOADLAB_TRY(policy_needs(!silent, "excess, missing and unexpected need scope=layer"));
  RELOADLAB_TRY(policy_needs(policy.abort != Abort::none, "abort needs scope=layer"));
  return policy_needs(policy.shadow != ShadowCopies::none, "shadow=keep needs scope=layer");
}

Status check_policy(const P& policy) {
  if (policy.scope == Scope::model) return check_whole_model(policy);
  RELOADLAB_TRY(policy_needs(policy.created != Created::in_place, "scope=layer needs created=in_place"));
  RELOADLAB_TRY(policy_needs(policy.ties != Ties::all, "scope=layer needs ties=all"));
  RELOADLAB_TRY(policy_needs(policy.callables != Callables::kept, "scope=layer needs callables=kept"));
  return policy_needs(policy.restored != Restored::dropped, "scope=layer needs restored=dropped");
}

constexpr PolicyTable<P> table{"online-quantization reload", rows, profiles, check_policy};

}  // namespace

OnlineQuantPolicy OnlineQuantPolicy::hardened() {
  return {.scope = Scope::layer,
          .created = Created::in_place,
          .ties = Ties::all,
          .callables = Callables::kept,
          .restored = Restored::dropped,
          .excess = Coverage::warn,
          .missing = Coverage::warn,
          .unexpected = Coverage::warn,
          .abort = Abort::backup};
}

layerwise::LayerwisePolicy OnlineQuantPolicy::of_layers() const {
  layerwise::LayerwisePolicy policy = layerwise::LayerwisePolicy::hardened();
  policy.landing = layerwise::Landing::materialized;  // what counts here are layers with a post-load step
  policy.excess = excess;
  policy.missing = missing;
  policy.unexpected = unexpected;
  policy.abort = abort;
  policy.shadow = shadow;
  return policy;
}

Result<OnlineQuantPolicy> parse_policy(std::string_view text) { return table.parse(text); }
std::string spell_policy(const OnlineQuantPolicy& policy) { return table.spell(policy); }
std::vector<std::string_view> policy_profiles() { return table.profile_names(); }

std::map<std::string, std::string> declared_policies(const OnlineQuantPolicy& policy) {
  std::map<std::string, std::string> declared = table.declared(policy);
  if (policy.scope == Scope::layer) {
    declared.merge(layerwise::declared_policies(policy.of_layers()));
  } else {
    declared.insert({{"completion", "finish"}, {"misuse", "undefined"}, {"unloaded", "uninitialized"}});
  }
  return declared;
}

std::map<std::string, std::set<std::string>> policy_choices() { return table.choices(); }

}  // namespace reloadlab::online_quant
