#include "sim/replay/plan.h"

namespace reloadlab::sim {

PlanPolicies PlanPolicies::declared(const std::map<std::string, std::string>& policies) {
  auto is = [&](const char* key, std::string_view value) { return policies.contains(key) && policies.at(key) == value; };
  return {.backup = !is("abort", "backup")    ? Backup::none
                    : is("landing", "direct") ? Backup::of_touched
                                              : Backup::of_processed,
          .rejects_excess = is("excess", "reject"),
          .rejects_missing = is("missing", "reject"),
          .rejects_unexpected = is("unexpected", "reject"),
          .rejects_gaps = is("unloaded", "preserve") && !is("shadow", "keep"),
          .shadow = is("shadow", "keep"),
          .whole_model = is("scope", "model"),
          .every_tie = is("ties", "all")};
}

}  // namespace reloadlab::sim
