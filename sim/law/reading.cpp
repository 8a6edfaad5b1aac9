#include "sim/law/reading.h"

#include <algorithm>
#include <set>

#include "sim/law/ring.h"

namespace reloadlab::sim {
namespace {

bool stands_alone(StepKind kind) { return kind == StepKind::reload || kind == StepKind::retry; }
bool ends(StepKind kind) { return kind == StepKind::finish || kind == StepKind::abort; }

// A begin, of its own or of a whole update, that is to be refused because the update before it is still open.
bool refused_in_update(const Execution& execution, int step) {
  const Step& begin = *step_at(execution, step);
  if (begin.outcome != Step::Outcome::error || (begin.kind != StepKind::prepare && !stands_alone(begin.kind))) return false;
  for (int before = step - 1; const Step* earlier = step_at(execution, before); --before) {
    if (stands_alone(earlier->kind) || ends(earlier->kind) || earlier->kind == StepKind::load) return false;
    if (earlier->kind == StepKind::prepare) return true;
  }
  return false;
}

bool refuses(const RankPlan& plan, int step) {
  return std::ranges::find(plan.refusals, step, &RankPlan::Refusal::step) != plan.refusals.end();
}

// Whether an update is open after each step, as the statuses say. A finish that a declared policy refuses ends it as well.
std::vector<bool> open_after(const Execution& execution, const RankRun& run, const RankPlan& plan) {
  std::vector<bool> open;
  bool now = false;
  for (size_t step = 0; step < execution.steps.size(); ++step) {
    const StepKind kind = execution.steps[step].kind;
    const StepOutcome* outcome = outcome_of(run, static_cast<int>(step));
    if (kind == StepKind::prepare) now = true;
    if (stands_alone(kind) || kind == StepKind::abort) now = false;
    if (kind == StepKind::finish && outcome && (outcome->status.ok() || refuses(plan, static_cast<int>(step)))) now = false;
    open.push_back(now);
  }
  return open;
}

}  // namespace

Verdict Tally::fail(Finding finding) const {
  finding.law = law_;
  return {.law = std::string(law_), .outcome = Outcome::fail, .finding = std::move(finding), .checks = checks_};
}

Verdict Tally::done(std::string_view nothing_checked) const {
  Verdict verdict{.law = std::string(law_), .outcome = checks_ > 0 ? Outcome::pass : Outcome::inconclusive, .checks = checks_};
  if (checks_ == 0) verdict.reason = nothing_checked;
  return verdict;
}

Verdict Tally::unsupported(std::string_view reason) const {
  return {.law = std::string(law_), .outcome = Outcome::unsupported, .reason = std::string(reason)};
}

Verdict Tally::unusable() const {
  return checks_ > 0 ? done({}) : unsupported("the candidate calls the model unusable after every update");
}

bool has_bytes(const Evidence& evidence) { return evidence.the_case.world != WorldKind::meta; }

bool sees_time(const Evidence& evidence) { return evidence.the_case.world != WorldKind::cuda; }

const Execution* warm_of(const Evidence& evidence) { return evidence.find(Variation::Kind::warm); }

const Census* census_after(const RankRun& run, int step) {
  const auto found = std::ranges::find(run.censuses, step, &Census::step);
  return found == run.censuses.end() ? nullptr : &*found;
}

const StepOutcome* outcome_of(const RankRun& run, int step) {
  const auto found = std::ranges::find(run.outcomes, step, &StepOutcome::step);
  return found == run.outcomes.end() ? nullptr : &*found;
}

const Blob* output_of(const RankRun& run, int step) {
  const StepOutcome* outcome = outcome_of(run, step);
  return outcome && outcome->output ? outcome->output->get() : nullptr;
}

const Step* step_at(const Execution& execution, int step) {
  return step >= 0 && static_cast<size_t>(step) < execution.steps.size() ? &execution.steps[static_cast<size_t>(step)] : nullptr;
}

const Census* cold_census(const Evidence& evidence, std::string_view checkpoint, size_t rank, int poison) {
  const Execution* cold = evidence.find(Variation::Kind::cold, checkpoint, poison);
  return cold && rank < cold->ranks.size() ? census_after(cold->ranks[rank], 0) : nullptr;
}

const Blob* cold_output(const Evidence& evidence, std::string_view checkpoint, size_t rank) {
  const Execution* cold = evidence.find(Variation::Kind::cold, checkpoint);
  return cold && rank < cold->ranks.size() ? output_of(cold->ranks[rank], 1) : nullptr;
}

int layer_index(const Evidence& evidence, std::string_view layer) {
  const auto found = std::ranges::find(evidence.layers, layer);
  return found == evidence.layers.end() ? -1 : static_cast<int>(found - evidence.layers.begin());
}

const model::LayerSpec* layer_spec(const Evidence& evidence, std::string_view layer) {
  const auto& layers = evidence.the_case.model.layers;
  const auto found = std::ranges::find(layers, layer, &model::LayerSpec::name);
  return found == layers.end() ? nullptr : &*found;
}

const CensusEntry* counterpart(const Census& census, size_t hint, std::string_view path) {
  if (hint < census.entries.size() && census.entries[hint].path == path) return &census.entries[hint];
  return census.find(path);
}

StepRange update_of(const Execution& execution, int step) {
  const Step* end = step_at(execution, step);
  StepRange range{step, step};
  if (!end || end->kind == StepKind::load) return range;
  if (stands_alone(end->kind) && !refused_in_update(execution, step)) return range;
  for (int before = step; const Step* candidate = step_at(execution, before); --before) {
    if (before != step && (stands_alone(candidate->kind) || ends(candidate->kind) || candidate->kind == StepKind::load)) break;
    range.first = before;
    if (candidate->kind == StepKind::prepare && !refused_in_update(execution, before)) break;
  }
  return range;
}

std::vector<StepRange> updates_of(const Execution& execution) {
  std::vector<StepRange> updates;
  for (size_t step = 0; step < execution.steps.size(); ++step) {
    const StepKind kind = execution.steps[step].kind;
    if (stands_alone(kind) || ends(kind)) updates.push_back(update_of(execution, static_cast<int>(step)));
  }
  return updates;
}

Step::Outcome meant_outcome(const Evidence& evidence, size_t rank, int step) {
  const Step::Outcome said = step_at(*warm_of(evidence), step)->outcome;
  return said == Step::Outcome::ok && refuses(evidence.plan[rank], step) ? Step::Outcome::error : said;
}

bool is_refused(const RankPlan& plan, const PlannedLoad& load) {
  return std::ranges::any_of(plan.refusals, [&](const auto& refusal) { return refusal.step == load.step && refusal.load == load.index; });
}

bool meant_to_commit(const Evidence& evidence, size_t rank, int step) {
  const Step* end = step_at(*warm_of(evidence), step);
  const auto& states = evidence.plan[rank].states;
  return end && meant_outcome(evidence, rank, step) == Step::Outcome::ok && end->kind != StepKind::abort && !end->abort_after &&
         std::ranges::find(states, step, &RankPlan::State::step) != states.end();
}

bool went_through(const Evidence& evidence, size_t rank, StepRange update) {
  const StepOutcome* outcome = outcome_of(warm_of(evidence)->ranks[rank], update.last);
  return outcome && outcome->status.ok() && meant_to_commit(evidence, rank, update.last);
}

bool means_to_update(const Evidence& evidence, size_t rank) {
  return std::ranges::any_of(updates_of(*warm_of(evidence)),
                             [&](StepRange update) { return meant_to_commit(evidence, rank, update.last); });
}

namespace {

// Nothing passes while a reload is open.
bool ends_reload(const Step& step) {
  return step.kind == StepKind::reload || step.kind == StepKind::reset || step.kind == StepKind::destroy ||
         (step.kind == StepKind::pass && is_plain(step.pass));
}

}  // namespace

bool reload_left_open(const Execution& execution, const RankRun& run, int step) {
  bool open = false;
  for (const StepOutcome& outcome : run.outcomes) {
    if (outcome.step < 0 || outcome.step > step) continue;
    const Step& done = execution.steps[static_cast<size_t>(outcome.step)];
    if (done.kind == StepKind::reload && !outcome.status.ok()) open = true;
    if (ends_reload(done) && outcome.status.ok()) open = false;
  }
  return open;
}

namespace {

// -1: none
int loaded_in(const Execution& warm, const RankRun& run) {
  for (const StepOutcome& outcome : run.outcomes)
    if (outcome.step >= 0 && warm.steps[static_cast<size_t>(outcome.step)].kind == StepKind::load && outcome.status.ok())
      return outcome.step;
  return -1;
}

// With series hosts run ahead of their devices from the first load on, and meet them at the end.
std::vector<RestingState> first_and_last(const Execution& warm, const RankRun& run) {
  std::vector<RestingState> resting;
  if (!warm.stopped.empty()) return resting;
  std::set<int> steps{static_cast<int>(warm.steps.size()) - 1};
  if (const int loaded = loaded_in(warm, run); loaded >= 0) steps.insert(loaded);
  for (const int step : steps)
    if (const Census* census = census_after(run, step); census && !reload_left_open(warm, run, step))
      resting.push_back({{.step = step, .checkpoint = {}, .partial = false}, census});
  return resting;
}

}  // namespace

std::vector<RestingState> resting_states(const Evidence& evidence, size_t rank) {
  std::vector<RestingState> resting;
  const Execution* warm = warm_of(evidence);
  if (!warm || rank >= warm->ranks.size() || rank >= evidence.plan.size()) return resting;
  const RankRun& run = warm->ranks[rank];
  if (!evidence.the_case.series.empty()) return first_and_last(*warm, run);
  const std::vector<bool> open = open_after(*warm, run, evidence.plan[rank]);
  for (const RankPlan::State& state : evidence.plan[rank].states) {
    if (!step_at(*warm, state.step) || open[static_cast<size_t>(state.step)]) continue;
    const Census* census = census_after(run, state.step);
    const StepOutcome* outcome = outcome_of(run, state.step);
    if (census && outcome && !outcome->unusable) resting.push_back({state, census});
  }
  return resting;
}

bool left_unusable(const Evidence& evidence) {
  const Execution* warm = warm_of(evidence);
  for (size_t rank = 0; warm && rank < evidence.plan.size() && rank < warm->ranks.size(); ++rank)
    for (const RankPlan::State& state : evidence.plan[rank].states)
      if (const StepOutcome* outcome = outcome_of(warm->ranks[rank], state.step); outcome && outcome->unusable) return true;
  return false;
}

bool ranks_hold_one(const Evidence& evidence, int step) {
  const RankPlan::State* first = nullptr;
  for (const RankPlan& plan : evidence.plan) {
    const auto state = std::ranges::find(plan.states, step, &RankPlan::State::step);
    if (state == plan.states.end() || state->partial || (first && first->checkpoint != state->checkpoint)) return false;
    first = &*state;
  }
  return true;
}

bool has_post_load(const Evidence& evidence, size_t rank, std::string_view layer) {
  const int index = layer_index(evidence, layer);
  const auto cold = std::ranges::find(evidence.executions, Variation::Kind::cold, [](const Execution& e) { return e.variation.kind; });
  if (cold == evidence.executions.end() || rank >= cold->ranks.size()) return true;
  return std::ranges::any_of(cold->ranks[rank].events,
                             [&](const Event& event) { return event.kind == EventKind::post_load_begin && event.layer == index; });
}

}  // namespace reloadlab::sim
