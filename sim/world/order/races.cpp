#include "sim/world/order/races.h"

#include <algorithm>

namespace reloadlab::sim {
namespace {

bool happened_before(const AccessSite& past, const Clock& now) { return past.tick <= now.at(past.actor); }

// A new access stands for a past one where it is ordered after it, touches all of its bytes and conflicts with at least as much: order
// is transitive, so whatever is not ordered after the past one is not ordered after this one either.
bool stands_for(const Access& access, const AccessSite& past, const Region& region, const Clock& clock) {
  bool as_strong = access.write || !past.write;
  return as_strong && happened_before(past, clock) && access.region.covers(region);
}

bool same_pair(const Race& race, const AccessSite& first, const AccessSite& second) {
  return race.first.step == first.step && race.second.step == second.step;
}

}  // namespace

void RaceFinder::access(const AccessSite& site, const Access& access, const Clock& clock) {
  if (access.region.empty()) return;
  std::vector<Past>& past = past_[access.region.block()];
  for (const Past& earlier : past) {
    bool conflict = (earlier.site.write || access.write) && earlier.site.step != site.step;
    if (!conflict || happened_before(earlier.site, clock) || !earlier.region.overlaps(access.region)) continue;
    auto known = [&](const Race& race) { return same_pair(race, earlier.site, site); };
    if (std::none_of(races_.begin(), races_.end(), known)) races_.push_back({earlier.site, site, access.region.block()});
  }
  std::erase_if(past, [&](const Past& earlier) { return stands_for(access, earlier.site, earlier.region, clock); });
  past.push_back({site, access.region});
}

}  // namespace reloadlab::sim
