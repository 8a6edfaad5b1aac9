#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "reference/base/check.h"
#include "reference/base/nearest.h"
#include "sim/candidate/builtin.h"
#include "sim/candidate/candidate.h"
#include "sim/candidate/declared.h"
#include "sim/candidate/plugin.h"
#include "sim/candidate/python.h"

namespace reloadlab::sim {
namespace {

using Make = std::function<Result<CandidateInfo>(const std::string& spelling)>;

// What a name stands for. A family with profiles ("layerwise") is spelled with one: "layerwise@seed".
struct Family {
  std::string name;
  Make make;
  std::vector<std::string> profiles;
};

// In the order of registration.
std::vector<Family>& families() {
  static std::vector<Family> known;
  return known;
}

std::vector<Family>& all_families() {
  static const bool filled = (register_builtin_candidates(), true);
  (void)filled;
  return families();
}

Family* find_family(const std::string& name) {
  auto found = std::ranges::find(families(), name, &Family::name);
  return found == families().end() ? nullptr : &*found;
}

std::vector<std::string> names_of(const Family& family) {
  std::vector<std::string> names;
  if (family.profiles.empty()) names.push_back(family.name);
  for (const std::string& profile : family.profiles) names.push_back(family.name + "@" + profile);
  return names;
}

}  // namespace

void register_candidate(const std::string& name, Make make) {
  RELOADLAB_CHECK(!find_family(name), "candidate " + name + " is registered already");
  families().push_back({name, std::move(make), {}});
}

void register_profiles(const std::string& family, std::vector<std::string> profiles) {
  Family* known = find_family(family);
  RELOADLAB_CHECK(known, "no candidate family " + family);
  known->profiles = std::move(profiles);
}

namespace {

// Releases of others have any version.
Status unknown(const std::string& spelling) {
  std::vector<std::string> names = candidate_names();
  const size_t at = std::min(spelling.find('@'), spelling.size());
  for (const std::string_view peer : kPeers) names.push_back(std::string(peer) + spelling.substr(at));
  if (const size_t colon = spelling.find(':'); colon != std::string::npos) names.push_back("python" + spelling.substr(colon));
  return {Code::usage, fmt::format("no candidate is called \"{}\"{}", spelling, did_you_mean(spelling, names))};
}

Result<CandidateInfo> find_registered(const std::string& spelling) {
  all_families();
  const size_t at = spelling.find('@');
  const Family* family = find_family(spelling.substr(0, at));
  if (!family) return unknown(spelling);
  if (at >= spelling.size() - 1 && !family->profiles.empty())
    return Status(Code::usage, fmt::format("candidate {} needs a profile: {}", spelling, fmt::join(names_of(*family), ", ")));
  Result<CandidateInfo> info = family->make(at == std::string::npos ? spelling : spelling.substr(at + 1));
  return info.ok() ? info : info.status().within(spelling);
}

}  // namespace

Result<CandidateInfo> find_candidate(const std::string& spelling) {
  Result<CandidateInfo> info = is_python(spelling)   ? find_python(spelling)
                               : is_plugin(spelling) ? find_plugin(spelling)
                                                     : find_registered(spelling);
  if (info.ok()) RELOADLAB_TRY(check_declared(*info));
  return info;
}

std::vector<std::string> default_candidates(const std::string& system) {
  std::vector<std::string> names;
  for (const Family& family : all_families())
    if (family.name == system && !family.profiles.empty()) names = names_of(family);
  return names;
}

std::vector<std::string> candidate_names() {
  std::vector<std::string> names;
  for (const Family& family : all_families()) std::ranges::move(names_of(family), std::back_inserter(names));
  return names;
}

}  // namespace reloadlab::sim
