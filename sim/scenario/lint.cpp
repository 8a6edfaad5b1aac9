#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "reference/base/nearest.h"
#include "sim/scenario/scenario.h"
#include "sim/scenario/spelling.h"

namespace reloadlab::sim {
namespace {

// Calls fn(step) for every step, those of repetitions included.
template <class Fn>
void for_each_step(const std::vector<Step>& steps, Fn&& fn) {
  for (const Step& step : steps) {
    fn(step);
    for_each_step(step.body, fn);
  }
}

bool delivers(const Step& step) { return step.kind == StepKind::load || step.kind == StepKind::loads || step.kind == StepKind::reload; }
bool updates(const Step& step) { return step.kind == StepKind::reload || step.kind == StepKind::loads; }

class Linter {
 public:
  explicit Linter(const std::vector<Case>& cases) : cases_(cases) {}

  std::vector<std::string> run() {
    for (const Case& one : cases_) {
      checkpoints_used(one);
      for_each_step(one.steps, [&](const Step& step) { delivery_meant(one, step); });
      laws_can_judge(one);
      first_step_loads(one);
    }
    tags_spelt_alike();
    std::vector<std::string> all;
    for (const auto& [place, messages] : found_) all.insert(all.end(), messages.begin(), messages.end());
    return all;
  }

 private:
  void say(const Case& one, Position at, const std::string& what) {
    found_[{one.file, at}].insert(fmt::format("{}:{}:{}: {}", one.file, at.line, at.column, what));
  }

  void checkpoints_used(const Case& one) {
    std::set<std::string> used;
    for_each_step(one.steps, [&](const Step& step) {
      if (delivers(step) || step.kind == StepKind::update_owner) used.insert(step.plan.checkpoint);
    });
    for (const auto& [name, spec] : one.checkpoints)
      if (spec.source == CheckpointSpec::Source::perturbed) used.insert(spec.base);
    for (const auto& [name, spec] : one.checkpoints)
      if (!used.contains(name)) say(one, spec.at, fmt::format("checkpoint {} is never delivered", name));
    for (size_t i = 0; i < one.checkpoints.size(); ++i)
      for (size_t j = 0; j < i; ++j)
        if (same_content(one.checkpoints[i].second, one.checkpoints[j].second))
          say(one, one.checkpoints[i].second.at,
              fmt::format("checkpoints {} and {} hold the same values", one.checkpoints[j].first, one.checkpoints[i].first));
  }

  static bool same_content(const CheckpointSpec& a, const CheckpointSpec& b) {
    return a.source == b.source && a.seed == b.seed && a.path == b.path && a.base == b.base;
  }

  void delivery_meant(const Case& one, const Step& step) {
    if (!delivers(step)) return;
    const std::set<std::string> omitted(step.plan.omit.begin(), step.plan.omit.end());
    for (const std::string& name : step.plan.only)
      if (omitted.contains(name)) say(one, step.at, fmt::format("{} stands in both only and omit", name));
    for (const LoadPlan::Repeat& repeat : step.plan.repeat)
      if (omitted.contains(repeat.tensor)) say(one, step.at, fmt::format("{} is repeated, but omitted", repeat.tensor));
    for (const LoadPlan::Wrong& wrong : step.plan.wrong)
      if (omitted.contains(wrong.tensor)) say(one, step.at, fmt::format("{} is wrong, but omitted", wrong.tensor));
    if (!step.plan.wrong.empty() && step.outcome == Step::Outcome::ok) say(one, step.at, "a wrong tensor, but the step is to come out ok");
    if (step.fault && step.outcome == Step::Outcome::ok) say(one, step.at, "a fault, but the step is to come out ok");
    if (step.abort_after && step.fault) say(one, step.at, "a fault and an abort in one step: whichever comes first hides the other");
  }

  void laws_can_judge(const Case& one) {
    bool any_pass = one.steps.front().outcome == Step::Outcome::error;  // of the first load: there is nothing to read then
    for_each_step(one.steps, [&](const Step& step) { any_pass |= step.kind == StepKind::pass || step.kind == StepKind::replay; });
    if (!one.series.empty() && !any_pass) say(one, one.places.steps, "no pass reads the series, so no law has anything to judge");
    bool any_update = false, any_full_reload = false;
    std::set<std::string> updated, order;
    for_each_step(one.steps, [&](const Step& step) {
      any_update = any_update || updates(step) || step.kind == StepKind::prepare;
      any_full_reload = any_full_reload || step.kind == StepKind::reload;
      if (delivers(step)) order.insert(step.plan.checkpoint);
      if (step.kind == StepKind::reload) updated.insert(step.plan.checkpoint);
    });
    if (!any_update && one.series.empty()) say(one, one.places.steps, "nothing is reloaded, so no law has anything to judge");
    auto names = [&](std::string_view law) { return std::find(one.laws.begin(), one.laws.end(), law) != one.laws.end(); };
    if (one.world == WorldKind::meta)
      for (std::string_view law : {"cold_load_equal", "return_exact", "order_free"})
        if (names(law)) say(one, one.places.laws, fmt::format("law {} compares values, which the meta world does not have", law));
    if (names("return_exact") && order.size() < 2) say(one, one.places.laws, "law return_exact needs two checkpoints, one is used");
    if (names("order_free") && !any_full_reload) say(one, one.places.laws, "law order_free needs a reload step");
  }

  void first_step_loads(const Case& one) {
    if (one.steps.front().kind != StepKind::load)
      say(one, one.steps.front().at, "the first step is not a load: the model begins with poison");
  }

  // A tag that one file alone uses and that is a slip away from one that several use. Tags with digits are numbers of rules and
  // bugs, where the neighbour is another number.
  void tags_spelt_alike() {
    std::map<std::string, std::set<std::string>> files_of;
    for (const Case& one : cases_)
      for (const std::string& tag : one.tags) files_of[tag].insert(one.file);
    std::vector<std::string> common;
    for (const auto& [tag, files] : files_of)
      if (files.size() > 1) common.push_back(tag);
    for (const Case& one : cases_)
      for (const std::string& tag : one.tags)
        if (files_of[tag].size() == 1 && tag.find_first_of("0123456789") == std::string::npos)
          if (const std::string_view near = nearest(tag, common); !near.empty())
            say(one, one.places.tags, fmt::format("tag {} is used here alone; did you mean \"{}\"?", tag, near));
  }

  const std::vector<Case>& cases_;
  std::map<std::pair<std::string, Position>, std::set<std::string>> found_;  // in file order
};

}  // namespace

std::vector<std::string> lint(const std::vector<Case>& cases) { return Linter(cases).run(); }

Status check_names_unique(const std::vector<Case>& cases) {
  std::map<std::string, std::string> file_of;
  std::set<std::string> told;
  std::string errors;
  for (const Case& one : cases) {
    const auto [first, fresh] = file_of.try_emplace(one.scenario, one.file);
    if (fresh || first->second == one.file || !told.insert(one.file).second) continue;
    const Position at = one.places.scenario;
    errors += fmt::format("{}{}:{}:{}: scenario {} is also the name of {}, expected one of its own", errors.empty() ? "" : "\n", one.file,
                          at.line, at.column, one.scenario, first->second);
  }
  return errors.empty() ? Status() : Status(Code::data, errors);
}

}  // namespace reloadlab::sim
