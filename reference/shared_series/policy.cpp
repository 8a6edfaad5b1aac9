#include "reference/shared_series/policy.h"

#include <array>

#include "reference/base/policy_table.h"

namespace reloadlab::shared_series {
namespace {

constexpr std::array<std::string_view, 2> step{"object", "layer"}, handle{"registered", "current"}, layout{"trusted", "checked"},
    target{"absolute", "relative"}, binding{"rolling", "static"}, refill{"current_stream", "readers"}, join{"first", "every"},
    order{"trusted", "checked"}, loads{"always", "in_reload"}, recovery{"none", "reset"}, sequence{"trusted", "published"};

using P = SeriesPolicy;
constexpr std::array rows{policy_row<&P::step>("step", step),
                          policy_row<&P::handle>("handle", handle),
                          policy_row<&P::layout>("layout", layout),
                          policy_row<&P::target>("target", target),
                          policy_row<&P::binding>("binding", binding),
                          policy_row<&P::refill>("refill", refill),
                          policy_row<&P::join>("join", join),
                          policy_row<&P::order>("order", order),
                          policy_row<&P::loads>("loads", loads),
                          policy_row<&P::recovery>("recovery", recovery),
                          policy_row<&P::sequence>("sequence", sequence)};
constexpr std::array profiles{PolicyProfile<P>{"seed", &P::seed}, PolicyProfile<P>{"hardened", &P::hardened}};

Status check_policy(const P& policy) {
  const bool none = policy.recovery == Recovery::none;
  RELOADLAB_TRY(
      policy_needs(none && policy.order == Order::checked, "order=checked needs recovery=reset: nothing else begins a pass anew"));
  RELOADLAB_TRY(policy_needs(none && policy.loads == Loads::in_reload, "loads=in_reload needs recovery=reset: there is no reload without"));
  return policy_needs(policy.binding == Binding::fixed && policy.target == Target::absolute,
                      "binding=static needs target=relative: a window's next layer follows from its offset");
}

constexpr PolicyTable<P> table{"shared-weight series", rows, profiles, check_policy};

}  // namespace

SeriesPolicy SeriesPolicy::hardened() {
  return {.step = Step::layer,
          .handle = Handle::current,
          .layout = Layout::checked,
          .target = Target::relative,
          .binding = Binding::rolling,
          .refill = Refill::readers,
          .join = Join::every,
          .order = Order::checked,
          .loads = Loads::in_reload,
          .recovery = Recovery::reset,
          .sequence = Sequence::published};
}

Result<SeriesPolicy> parse_policy(std::string_view text) { return table.parse(text); }
std::string spell_policy(const SeriesPolicy& policy) { return table.spell(policy); }
std::map<std::string, std::string> declared_policies(const SeriesPolicy& policy) { return table.declared(policy); }
std::map<std::string, std::set<std::string>> policy_choices() { return table.choices(); }
std::vector<std::string_view> policy_profiles() { return table.profile_names(); }

}  // namespace reloadlab::shared_series
