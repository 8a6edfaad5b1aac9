#include "reference/shared_series/policy.h"

#include <array>

#include "reference/base/policy_table.h"

namespace reloadlab::shared_series {
namespace {

constexpr std::array<std::string_view, 2> target{"absolute", "relative"}, refill{"current_stream", "readers"}, join{"first", "every"},
    order{"trusted", "checked"}, recovery{"none", "reset"};

using P = SeriesPolicy;
constexpr std::array rows{policy_row<&P::target>("target", target), policy_row<&P::refill>("refill", refill),
                          policy_row<&P::join>("join", join), policy_row<&P::order>("order", order),
                          policy_row<&P::recovery>("recovery", recovery)};
constexpr std::array profiles{PolicyProfile<P>{"seed", &P::seed}, PolicyProfile<P>{"hardened", &P::hardened}};

Status check_policy(const P& policy) {
  bool stuck = policy.order == Order::checked && policy.recovery == Recovery::none;
  return policy_needs(stuck, "order=checked needs recovery=reset: nothing else begins a pass anew");
}

constexpr PolicyTable<P> table{"shared-weight series", rows, profiles, check_policy};

}  // namespace

SeriesPolicy SeriesPolicy::hardened() {
  return {.target = Target::relative, .refill = Refill::readers, .join = Join::every, .order = Order::checked, .recovery = Recovery::reset};
}

Result<SeriesPolicy> parse_policy(std::string_view text) { return table.parse(text); }
std::string spell_policy(const SeriesPolicy& policy) { return table.spell(policy); }
std::map<std::string, std::string> declared_policies(const SeriesPolicy& policy) { return table.declared(policy); }
std::vector<std::string_view> policy_profiles() { return table.profile_names(); }

}  // namespace reloadlab::shared_series
