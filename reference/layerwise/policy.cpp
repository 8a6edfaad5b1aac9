#include "reference/layerwise/policy.h"

#include <array>

#include "reference/base/policy_table.h"

namespace reloadlab::layerwise {
namespace {

constexpr std::array<std::string_view, 2> completion{"numel", "elements"}, grouping{"layer", "storage"},
    unloaded{"uninitialized", "preserve"}, shadow{"none", "keep"}, buffering{"by_reference", "owned"}, names{"reregister", "keep"},
    records{"lent", "sealed"}, layout{"dense", "exact"}, misuse{"undefined", "error"}, copy_back{"coerce", "exact"},
    failed_load{"keep", "undo"}, scales{"unsupported", "reload"}, skipped{"wrapped", "live"}, derived{"in_turn", "in_place"},
    lifetime{"registry", "model"}, declined{"keep", "drop"}, settings{"ambient", "recorded"};
constexpr std::array<std::string_view, 4> coverage{"silent", "accept", "warn", "reject"};
constexpr std::array<std::string_view, 2> gather{"accelerators", "everywhere"}, boxes{"called", "declared"}, asleep{"unheard", "kept"},
    own_steps{"always", "needed"};
constexpr std::array<std::string_view, 3> landing{"materialized", "whole", "direct"};
constexpr std::array<std::string_view, 3> abandon{"none", "backup", "unusable"};

using P = LayerwisePolicy;
constexpr std::array rows{
    policy_row<&P::completion>("completion", completion),
    policy_row<&P::grouping>("grouping", grouping),
    policy_row<&P::unloaded>("unloaded", unloaded),
    policy_row<&P::shadow>("shadow", shadow),
    policy_row<&P::buffering>("buffering", buffering),
    policy_row<&P::names>("names", names),
    policy_row<&P::records>("records", records),
    policy_row<&P::layout>("layout", layout),
    policy_row<&P::excess>("excess", coverage),
    policy_row<&P::missing>("missing", coverage),
    policy_row<&P::unexpected>("unexpected", coverage),
    policy_row<&P::abort>("abort", abandon),
    policy_row<&P::misuse>("misuse", misuse),
    policy_row<&P::copy_back>("copy_back", copy_back),
    policy_row<&P::failed_load>("failed_load", failed_load),
    policy_row<&P::scales>("scales", scales),
    policy_row<&P::skipped>("skipped", skipped),
    policy_row<&P::derived>("derived", derived),
    policy_row<&P::own_steps>("own_steps", own_steps),
    policy_row<&P::declined>("declined", declined),
    policy_row<&P::settings>("settings", settings),
    policy_row<&P::landing>("landing", landing),
    policy_row<&P::gather>("gather", gather),
    policy_row<&P::boxes>("boxes", boxes),
    policy_row<&P::sleep>("sleep", asleep),
    policy_row<&P::lifetime>("lifetime", lifetime),
};

constexpr std::array profiles{PolicyProfile<P>{"seed", &P::seed}, PolicyProfile<P>{"hardened", &P::hardened}};

// Combinations that contradict themselves. Each names what would have to change.
Status check_policy(const LayerwisePolicy& policy) {
  const bool sealed = policy.records == Records::sealed;
  RELOADLAB_TRY(policy_needs(policy.completion == Completion::elements && !sealed, "completion=elements needs records=sealed"));
  RELOADLAB_TRY(policy_needs(policy.grouping == Grouping::storage && !sealed, "grouping=storage needs records=sealed"));
  RELOADLAB_TRY(policy_needs(sealed && policy.grouping == Grouping::layer, "records=sealed needs grouping=storage"));
  RELOADLAB_TRY(policy_needs(sealed && policy.names == Names::reregister, "records=sealed needs names=keep"));
  RELOADLAB_TRY(policy_needs(policy.abort != Abort::none && (!sealed || policy.failed_load == FailedLoad::keep),
                             "abort needs records=sealed and failed_load=undo"));
  RELOADLAB_TRY(policy_needs(policy.failed_load == FailedLoad::undo && policy.copy_back == CopyBack::coerce,
                             "failed_load=undo needs copy_back=exact"));
  RELOADLAB_TRY(
      policy_needs(policy.shadow == ShadowCopies::keep && (policy.unloaded != Unloaded::preserve || policy.misuse != Misuse::error),
                   "shadow=keep needs unloaded=preserve and misuse=error"));
  RELOADLAB_TRY(
      policy_needs(policy.declined == Declined::drop && policy.failed_load == FailedLoad::keep, "declined=drop needs failed_load=undo"));
  RELOADLAB_TRY(policy_needs(
      policy.landing != Landing::materialized &&
          (policy.completion != Completion::elements || policy.unloaded != Unloaded::preserve || policy.declined != Declined::drop),
      "landing needs completion=elements, unloaded=preserve and declined=drop"));
  RELOADLAB_TRY(policy_needs(policy.landing != Landing::direct && policy.boxes == Boxes::declared, "boxes=declared needs landing=direct"));
  RELOADLAB_TRY(
      policy_needs(policy.own_steps == OwnSteps::needed && policy.derived == Derived::in_turn, "own_steps=needed needs derived=in_place"));
  RELOADLAB_TRY(policy_needs(policy.misuse == Misuse::error && !sealed, "misuse=error needs records=sealed"));
  RELOADLAB_TRY(policy_needs(policy.lifetime == Lifetime::model && (!sealed || policy.misuse == Misuse::undefined),
                             "lifetime=model needs records=sealed and misuse=error"));
  return policy_needs(policy.sleep == Sleep::kept && (!sealed || policy.misuse != Misuse::error),
                      "sleep=kept needs records=sealed and misuse=error");
}

constexpr PolicyTable<P> table{"layerwise reload", rows, profiles, check_policy};

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
          .own_steps = OwnSteps::needed,
          .declined = Declined::drop,
          .settings = Settings::recorded,
          .landing = Landing::whole,
          .sleep = Sleep::kept,
          .lifetime = Lifetime::model};
}

Result<LayerwisePolicy> parse_policy(std::string_view text) { return table.parse(text); }
std::string spell_policy(const LayerwisePolicy& policy) { return table.spell(policy); }
std::map<std::string, std::string> declared_policies(const LayerwisePolicy& policy) { return table.declared(policy); }
std::map<std::string, std::set<std::string>> policy_choices() { return table.choices(); }
std::vector<std::string_view> policy_profiles() { return table.profile_names(); }

}  // namespace reloadlab::layerwise
