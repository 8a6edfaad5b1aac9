// --update-expectations: what failed becomes what is known to fail. Why it fails is not for the program to say.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "sim/campaign/expectation_book.h"
#include "sim/report/run_folder.h"

namespace reloadlab::sim {
namespace fs = std::filesystem;
namespace {

// Entries, one per variant; grouped_entries() puts equal ones together again.
std::vector<Expectation> split_entries(const std::vector<Expectation>& known, const std::vector<std::string>& all_variants) {
  std::vector<Expectation> split;
  for (const Expectation& one : known)
    for (const std::string& variant : one.variants.empty() ? all_variants : one.variants) {
      split.push_back(one);
      split.back().variants = {variant};
    }
  return split;
}

// A rule is a person's judgement of one failure. It is taken over where the same failure shows in one more variant, and nowhere else.
void take_rule_of_same_failure(const std::vector<Expectation>& split, Expectation& fresh) {
  const auto same = std::find_if(split.begin(), split.end(), [&](const Expectation& one) {
    return one.candidate == fresh.candidate && one.law == fresh.law && one.first == fresh.first && !one.quarantine;
  });
  fresh.rule = same == split.end() ? std::string(kUnexplained) : same->rule;
  if (same != split.end()) fresh.reason = same->reason;
}

bool same_failure(const Expectation& a, const Expectation& b) {
  const auto until = [](const Expectation& one) { return one.quarantine ? one.quarantine->until + one.quarantine->reason : ""; };
  return a.candidate == b.candidate && a.law == b.law && a.rule == b.rule && a.first == b.first && a.when == b.when &&
         a.reason == b.reason && until(a) == until(b);
}

void add_worlds(Expectation& to, const Expectation& one) {
  std::vector<std::string> all;
  for (const std::string& world : world_names())
    if (to.covers_world(world) || one.covers_world(world)) all.push_back(world);
  to.worlds = all == world_names() ? std::vector<std::string>() : all;
}

// Entries that differ in nothing but their worlds become one.
std::vector<Expectation> joined_worlds(const std::vector<Expectation>& split) {
  std::vector<Expectation> all;
  for (const Expectation& one : split) {
    const auto same =
        std::ranges::find_if(all, [&](const Expectation& other) { return same_failure(other, one) && other.variants == one.variants; });
    if (same == all.end())
      all.push_back(one);
    else
      add_worlds(*same, one);
  }
  return all;
}

// Entries that differ in nothing but their variant become one.
std::vector<Expectation> grouped_entries(const std::vector<Expectation>& split, const std::vector<std::string>& variants,
                                         const std::vector<std::string>& law_order) {
  std::vector<Expectation> groups;
  for (const std::string& variant : variants)
    for (const Expectation& one : split) {
      if (one.variants != std::vector{variant}) continue;
      const auto same =
          std::ranges::find_if(groups, [&](const Expectation& group) { return same_failure(group, one) && group.worlds == one.worlds; });
      if (same == groups.end())
        groups.push_back(one);
      else
        same->variants.push_back(variant);
    }
  for (Expectation& group : groups)
    if (group.variants.size() == variants.size()) group.variants.clear();
  const auto place = [&](const Expectation& one) { return std::find(law_order.begin(), law_order.end(), one.law) - law_order.begin(); };
  std::stable_sort(groups.begin(), groups.end(), [&](const Expectation& a, const Expectation& b) {
    return a.candidate != b.candidate ? a.candidate < b.candidate : place(a) < place(b);
  });
  return groups;
}

// What real devices show stands beside what holds where there are none: whoever updates that may have no GPU.
bool is_apart(std::string_view world) { return world == world_name(WorldKind::cuda); }

// Of the values of conditions those that are so here.
Conditions narrowed(Conditions conditions, const Facts& facts) {
  for (auto& [key, values] : conditions) std::erase_if(values, [&](const std::string& value) { return !hold({{key, {value}}}, facts); });
  return conditions;
}

// What was said of here is over here, and stays for the other values of its conditions. False where there are none.
bool leave_conditions(Expectation& entry, const Facts& facts) {
  for (auto& [key, values] : entry.when) {
    std::vector<std::string> others = values;
    std::erase_if(others, [&](const std::string& value) { return hold({{key, {value}}}, facts); });
    if (others.empty()) continue;
    values = others;
    return true;
  }
  return false;
}

void leave_world(std::vector<Expectation>& known, std::vector<Expectation>::iterator entry, std::string_view world) {
  if (entry->worlds.empty() && is_apart(world)) entry->worlds = world_names();
  std::erase(entry->worlds, world);
  if (entry->worlds.empty()) known.erase(entry);
}

bool says_nothing(State state) { return state == State::inconclusive || state == State::unsupported || state == State::flaky; }

}  // namespace

void ExpectationBook::learn(const CaseResult& result) {
  const auto found = pages_.find(result.file);
  if (found == pages_.end() || result.end != End::judged) return;
  Page& page = found->second;
  page.learnt = true;
  page.file.known = split_entries(page.file.known, page.variants);
  for (const LawResult& law : result.laws)
    if (!says_nothing(law.state)) learn(result, law, page);
}

void ExpectationBook::learn(const CaseResult& result, const LawResult& law, Page& page) {
  std::vector<Expectation>& known = page.file.known;
  const Facts facts = facts_of(result);
  const auto same = [&](const Expectation& one) { return one.covers(result.candidate, law.law, result.variant) && hold(one.when, facts); };
  const auto old =
      std::find_if(known.begin(), known.end(), [&](const Expectation& one) { return same(one) && one.covers_world(result.world); });
  if (old != known.end() && old->quarantine) return;
  if (old != known.end() && law.finding && old->first == evidenced_by(*law.finding)) return;
  std::optional<Expectation> before;
  if (old != known.end()) before = *old;
  if (before && !leave_conditions(*old, facts)) leave_world(known, old, result.world);
  if (!law.finding) return;
  Expectation fresh{result.candidate, law.law, "", evidenced_by(*law.finding), {result.variant}};
  if (is_apart(result.world) || std::any_of(known.begin(), known.end(), same)) fresh.worlds = {result.world};
  if (before)
    fresh.rule = before->rule, fresh.reason = before->reason, fresh.when = narrowed(before->when, facts);
  else
    take_rule_of_same_failure(known, fresh);
  if (before && before->first != fresh.first) page.moved.insert({fresh.candidate, fresh.law, result.variant});
  known.push_back(std::move(fresh));
}

void ExpectationBook::ask(const Page& page, std::vector<std::string>& done) const {
  const auto moved = [&](const Expectation& one) {
    const std::vector<std::string>& variants = one.variants.empty() ? page.variants : one.variants;
    return std::any_of(variants.begin(), variants.end(), [&](const auto& name) {
      return page.moved.contains({one.candidate, one.law, name});
    });
  };
  for (const Expectation& one : page.file.known) {
    const std::string place = one.place(page.path);
    if (!one.explained())
      done.push_back(
          fmt::format("{}: why does {} fail {}? Write the rule or bug (LW5, B10, …) in place of \"?\"", place, one.candidate, one.law));
    else if (moved(one))
      done.push_back(fmt::format("{}: {} fails {} otherwise now: is {} still why?", place, one.candidate, one.law, one.rule));
  }
}

Status ExpectationBook::save(Page& page, std::vector<std::string>& done) {
  page.file.known = grouped_entries(joined_worlds(page.file.known), page.variants, law_order_);
  std::error_code error;
  if (page.file.known.empty()) {
    if (!page.path.empty() && fs::remove(page.path, error)) done.push_back(fmt::format("removed {}", page.path.string()));
    page.path.clear();
    return {};
  }
  if (page.path.empty()) page.path = place_expectations(page.sample);
  fs::create_directories(page.path.parent_path(), error);
  const std::string text = expectations_text(page.file);
  if (text != page.text) {
    RELOADLAB_TRY(write_file(page.path, text));
    done.push_back(fmt::format("wrote {}", page.path.string()));
  }
  RELOADLAB_ASSIGN(page.file, parse_expectations(text, page.path.string(), {}));  // for the places of what is asked
  ask(page, done);
  return {};
}

Result<std::vector<std::string>> ExpectationBook::save() {
  std::vector<std::string> done;
  for (auto& [file, page] : pages_)
    if (page.learnt) RELOADLAB_TRY(save(page, done));
  return done;
}

}  // namespace reloadlab::sim
