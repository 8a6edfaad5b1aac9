#include "sim/attach/attached.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <ranges>
#include <set>

#include "reference/base/check.h"
#include "reference/base/nearest.h"
#include "reference/model/layer.h"
#include "sim/campaign/attempt.h"
#include "sim/evidence/rank_parts.h"
#include "sim/law/law.h"
#include "sim/report/steps.h"
#include "sim/report/text.h"
#include "sim/report/verdict_text.h"

namespace reloadlab::sim {
namespace {

// What a law needs beside the model and its names.
enum class Need { nothing, bytes, limit };
struct Judged {
  std::string_view law;
  Need need;
};
constexpr Judged kJudged[] = {{"cold_load_equal", Need::bytes}, {"return_exact", Need::bytes}, {"address_stable", Need::nothing},
                              {"graph_replay", Need::bytes},    {"no_residue", Need::nothing}, {"memory_bound", Need::limit},
                              {"no_leak", Need::nothing}};

bool is_there(const Judged& law, const AttachOptions& options) {
  return law.need == Need::nothing || (law.need == Need::bytes && options.bytes) || (law.need == Need::limit && options.extra_bytes);
}

Status check_laws(const AttachOptions& options) {
  const std::vector<std::string> all = attachable_laws();
  for (const std::string& law : options.laws) {
    const auto known = std::ranges::find(kJudged, law, &Judged::law);
    if (known == std::end(kJudged))
      return Status(Code::usage, fmt::format("no law for a live model is called \"{}\"{}; there are {}", law, did_you_mean(law, all),
                                             fmt::join(all, ", ")));
    if (!is_there(*known, options))
      return Status(Code::usage, fmt::format("{} cannot be judged without {}", law, known->need == Need::bytes ? "bytes" : "extra_bytes"));
  }
  return {};
}

std::vector<std::string> chosen(const AttachOptions& options) {
  if (!options.laws.empty()) return options.laws;
  std::vector<std::string> laws;
  for (const Judged& each : kJudged)
    if (is_there(each, options) && each.law != "graph_replay") laws.emplace_back(each.law);
  return laws;
}

Step step_of(StepKind kind, const std::string& checkpoint) {
  Step step;
  step.kind = kind;
  step.plan.checkpoint = checkpoint;
  return step;
}

}  // namespace

std::vector<std::string> attachable_laws() {
  std::vector<std::string> laws;
  for (const Judged& each : kJudged) laws.emplace_back(each.law);
  return laws;
}

Result<Attached> Attached::make(AttachOptions options) {
  RELOADLAB_TRY(check_laws(options));
  if (options.ranks < 1 || options.rank < 0 || options.rank >= options.ranks)
    return Status(Code::usage, fmt::format("there is no rank {} of {}", options.rank, options.ranks));
  if (options.extra_bytes.value_or(0) < 0)
    return Status(Code::usage, fmt::format("extra_bytes is {}, expected 0 or more", *options.extra_bytes));
  return Attached(std::move(options));
}

Attached::Attached(AttachOptions options) : options_(std::move(options)), blobs_(std::make_unique<BlobStore>()) {
  Case& the_case = evidence_.the_case;
  the_case.scenario = options_.name;
  the_case.system = "attached";
  the_case.world = options_.on_gpu ? WorldKind::cuda : WorldKind::cpu;
  the_case.ranks = options_.ranks;
  the_case.laws = chosen(options_);
  the_case.limits.extra_bytes = options_.extra_bytes;
  evidence_.candidate = options_.candidate;
  if (options_.ranks > 1) evidence_.numbers = {options_.rank};
  evidence_.plan.resize(1);
  execution(Variation::Kind::warm);
}

Execution& Attached::execution(Variation::Kind kind, const std::string& name) {
  for (Execution& each : evidence_.executions)
    if (each.variation.kind == kind && each.variation.name == name) return each;
  Execution& made = evidence_.executions.emplace_back();
  made.variation = {.kind = kind, .name = name};
  made.ranks.resize(1);
  return made;
}

Census Attached::census(Moment moment, int step) {
  Census census;
  census.step = step;
  census.flags = std::move(moment.flags);
  census.entries.reserve(moment.held.size());
  for (Held& held : moment.held) {
    CensusEntry& entry = census.entries.emplace_back(std::move(held.entry));
    if (!held.tensor.defined()) continue;
    describe_layout(held.tensor, entry);
    if (entry.on_meta || !has_plain_memory(held.tensor)) continue;
    entry.storage = places_.serial_of(held.tensor);
    if (options_.bytes) entry.content = blobs_->keep(nameable(held.tensor.detach()));
  }
  return census;
}

int Attached::add_step(Step step) {
  Execution& warm = execution(Variation::Kind::warm);
  warm.steps.push_back(step);
  evidence_.the_case.steps.push_back(std::move(step));
  return static_cast<int>(warm.steps.size()) - 1;
}

void Attached::add_reads(const std::vector<GraphOutput>& outputs, int step, RankRun& run) {
  for (const GraphOutput& each : outputs)
    run.graph_reads.push_back({.step = step, .path = each.graph, .output = blobs_->keep(nameable(each.output.detach()))});
}

void Attached::cold(const std::string& checkpoint, Moment moment, const std::vector<GraphOutput>& outputs) {
  Census seen = census(std::move(moment), 0);
  Execution& cold = execution(Variation::Kind::cold, checkpoint);
  cold.steps = {step_of(StepKind::load, checkpoint)};
  if (!outputs.empty()) cold.steps.push_back(step_of(StepKind::replay, {}));
  RankRun& run = cold.ranks.front();
  run = {};
  run.censuses.push_back(std::move(seen));
  run.outcomes.push_back({.step = 0});
  add_reads(outputs, 1, run);
}

namespace {

bool is_of_process(const CensusEntry& entry) { return entry.path.starts_with("process:"); }

auto of_model(const Census& census) { return census.entries | std::views::filter(std::not_fn(is_of_process)); }

bool same_contents(const CensusEntry& one, const CensusEntry& other) {
  return one.path == other.path && one.content == other.content && one.host == other.host;  // equal content shares one blob
}

}  // namespace

std::string Attached::twin(const std::string& checkpoint) const {
  const Census* mine = nullptr;
  for (const Execution& each : evidence_.executions)
    if (each.variation.kind == Variation::Kind::cold && each.variation.name == checkpoint) mine = &each.ranks.front().censuses.front();
  for (const Execution& each : evidence_.executions) {
    if (!mine || each.variation.kind != Variation::Kind::cold || each.variation.name == checkpoint) continue;
    if (std::ranges::equal(of_model(*mine), of_model(each.ranks.front().censuses.front()), same_contents)) return each.variation.name;
  }
  return {};
}

namespace {

// Whether another cold load leaves other contents there.
bool differs(const std::vector<Census*>& colds, const CensusEntry& entry) {
  return std::ranges::any_of(colds, [&](const Census* cold) {
    const CensusEntry* other = cold->find(entry.path);
    return other && other->content && entry.content && other->content != entry.content;
  });
}

}  // namespace

// What the process holds beside the models is compared with cold loads where these tell checkpoints apart by it: other code may use it,
// too.
void Attached::forget_what_is_not_of_weights() {
  std::vector<Census*> colds;
  for (Execution& each : evidence_.executions)
    if (each.variation.kind == Variation::Kind::cold) colds.push_back(&each.ranks.front().censuses.front());
  std::set<std::string> made_of_weights;
  for (const Census* cold : colds)
    for (const CensusEntry& entry : cold->entries)
      if (is_of_process(entry) && differs(colds, entry)) made_of_weights.insert(entry.path);
  for (Census* cold : colds)
    std::erase_if(cold->entries, [&](const CensusEntry& entry) { return is_of_process(entry) && !made_of_weights.contains(entry.path); });
}

// What went with a cold model, a table with weak keys for one, is nothing that a reload has to leave.
void Attached::forget_what_went(const Census& there) {
  for (Execution& each : evidence_.executions)
    if (each.variation.kind == Variation::Kind::cold)
      std::erase_if(each.ranks.front().censuses.front().entries,
                    [&](const CensusEntry& entry) { return is_of_process(entry) && !there.find(entry.path); });
}

void Attached::begin(const std::string& checkpoint, Moment moment) {
  forget_what_is_not_of_weights();
  const int step = add_step(step_of(StepKind::load, checkpoint));
  Census census = this->census(std::move(moment), step);
  forget_what_went(census);
  for (const CensusEntry& entry : census.entries) {
    if (entry.kind != CensusEntry::Kind::parameter && entry.kind != CensusEntry::Kind::buffer) continue;
    evidence_.deliveries.push_back(
        {.name = entry.path, .layer = entry.layer, .slot = entry.path.substr(entry.layer.empty() ? 0 : entry.layer.size() + 1)});
    if (std::ranges::find(evidence_.layers, entry.layer) == evidence_.layers.end()) evidence_.layers.push_back(entry.layer);
  }
  evidence_.plan.front().states.push_back({.step = step, .checkpoint = checkpoint, .partial = false});
  RankRun& run = execution(Variation::Kind::warm).ranks.front();
  run.censuses.push_back(std::move(census));
  run.outcomes.push_back({.step = step});
}

void Attached::update(const Update& update, Moment moment) {
  RELOADLAB_CHECK(!evidence_.the_case.steps.empty(), "update() before begin()");
  const int step = add_step(step_of(StepKind::reload, update.checkpoint));
  Census census = this->census(std::move(moment), step);
  RankPlan& plan = evidence_.plan.front();
  plan.states.push_back({.step = step, .checkpoint = update.checkpoint, .partial = false});
  plan.peaks.push_back({.step = step, .extra_bytes = options_.extra_bytes.value_or(0)});
  RankRun& run = execution(Variation::Kind::warm).ranks.front();
  run.censuses.push_back(std::move(census));
  run.outcomes.push_back({.step = step,
                          .status = update.status,
                          .crashed = !update.status.ok(),
                          .extra_bytes_peak = update.extra_bytes_peak,
                          .extra_bytes_after = update.extra_bytes_after,
                          .live_layers = update.live_layers,
                          .live_parameters = update.live_parameters,
                          .live_allocations = update.live_allocations,
                          .live_bytes = update.live_bytes});
  repeat_updates();
}

// As laws about growth read it: the updates once more, behind all steps.
void Attached::repeat_updates() {
  const Execution& warm = execution(Variation::Kind::warm);
  std::vector<Step> steps = warm.steps;
  std::vector<StepOutcome> outcomes;
  const auto again = [&](StepOutcome outcome, const Step& step) {
    outcome.step = static_cast<int>(steps.size());
    outcomes.push_back(std::move(outcome));
    steps.push_back(step);
  };
  if (first_) again(first_->outcome, first_->step);
  for (const StepOutcome& outcome : warm.ranks.front().outcomes) {
    const Step& step = warm.steps[static_cast<size_t>(outcome.step)];
    if (step.kind == StepKind::reload) again(outcome, step);
  }
  Execution& repeat = execution(Variation::Kind::repeat);
  repeat.variation.index = static_cast<int>(outcomes.size());
  repeat.steps = std::move(steps);
  repeat.ranks.front().outcomes = std::move(outcomes);
}

void Attached::forget(bool growth) {
  Execution& warm = execution(Variation::Kind::warm);
  RankRun& run = warm.ranks.front();
  RELOADLAB_CHECK(!run.censuses.empty(), "forget() before begin()");
  const auto updated = [&](const StepOutcome& outcome) { return warm.steps[static_cast<size_t>(outcome.step)].kind == StepKind::reload; };
  const auto first = std::ranges::find_if(run.outcomes, updated);
  const auto with_step = [&](const StepOutcome& outcome) { return First{outcome, warm.steps[static_cast<size_t>(outcome.step)]}; };
  if (growth) first_ = updated(run.outcomes.back()) ? std::optional(with_step(run.outcomes.back())) : std::nullopt;
  if (!first_ && first != run.outcomes.end()) first_ = with_step(*first);
  // What was wrong with it has been judged: what it held is what counts.
  if (first_) first_->outcome.status = {}, first_->outcome.crashed = false;
  Census last = std::move(run.censuses.back());
  last.step = 0;
  const std::string checkpoint = evidence_.plan.front().states.back().checkpoint;
  run = {};
  run.censuses.push_back(std::move(last));
  run.outcomes.push_back({.step = 0});
  warm.steps = evidence_.the_case.steps = {step_of(StepKind::load, checkpoint)};
  evidence_.plan.front() = {.states = {{.step = 0, .checkpoint = checkpoint, .partial = false}}};
}

void Attached::graphs(const std::vector<GraphOutput>& outputs) {
  if (outputs.empty()) return;
  const int step = add_step(step_of(StepKind::replay, {}));
  std::vector<std::string>& laws = evidence_.the_case.laws;
  if (options_.laws.empty() && options_.bytes && std::ranges::find(laws, "graph_replay") == laws.end()) laws.emplace_back("graph_replay");
  RankRun& run = execution(Variation::Kind::warm).ranks.front();
  run.outcomes.push_back({.step = step});
  add_reads(outputs, step, run);
}

// As a campaign has them, without what it keeps of a run: a live model may be judged many times a minute.
CaseResult judge_attached(const Evidence& evidence) {
  CaseResult result{.scenario = evidence.the_case.scenario, .system = evidence.the_case.system, .candidate = evidence.candidate};
  for (Verdict& verdict : judge(evidence)) result.laws.push_back(law_result(std::move(verdict)));
  result.laws.push_back(survives(evidence));
  for (LawResult& law : result.laws) {
    if (!law.finding) continue;
    if (const Step* step = finding_step(evidence, *law.finding)) law.step_text = step_text(*step);
    law.finding->rank = evidence.number(static_cast<size_t>(law.finding->rank));
  }
  return result;
}

std::string text_of(const CaseResult& result) {
  std::string text;
  int64_t passed = 0;
  for (const LawResult& law : result.laws) {
    if (law.state == State::pass) ++passed;
    if (!law.finding) continue;
    const LawInfo* info = find_law(law.law);
    std::string lines = finding_text(law);
    while (lines.ends_with('\n')) lines.pop_back();
    text += fmt::format("\n{} {}: {}\n{}", state_name(law.state), law.law, info ? info->sentence : kSurvivesSentence, lines);
  }
  return text.empty() ? fmt::format("{}: {} {}", result.scenario, plural(passed, "law"), passed == 1 ? "holds" : "hold")
                      : fmt::format("{}:{}", result.scenario, text);
}

namespace {

// What one rank's evidence is held to, the others' is.
Status are_of_one_run(const Case& asked, const Case& other, size_t rank) {
  const auto laws_of = [](const Case& the_case) { return std::set<std::string>(the_case.laws.begin(), the_case.laws.end()); };
  if (asked.limits.extra_bytes != other.limits.extra_bytes)
    return Status(Code::data, fmt::format("rank {} was attached with other extra_bytes than one of the others", rank));
  if (laws_of(asked) == laws_of(other) && asked.steps.size() == other.steps.size()) return {};
  return Status(Code::data,
                fmt::format("rank {} was attached with other laws, or for another number of reloads, than one of the others", rank));
}

// Ranks may call what they are brought by other names, each its own file: they are then called as those of the first.
Status call_checkpoints_alike(const Case& asked, Evidence& evidence, size_t rank) {
  std::map<std::string, std::string> names;
  for (size_t step = 0; step < asked.steps.size(); ++step) {
    const std::string& own = evidence.the_case.steps[step].plan.checkpoint;
    const std::string& there = asked.steps[step].plan.checkpoint;
    if (names.try_emplace(own, there).first->second != there)
      return Status(Code::data,
                    fmt::format("rank {} has {} where one of the others has {}, and had it for another one before", rank, own, there));
  }
  const auto rename = [&](std::string& name) {
    if (const auto found = names.find(name); found != names.end()) name = found->second;
  };
  for (Step& step : evidence.the_case.steps) rename(step.plan.checkpoint);
  for (RankPlan& plan : evidence.plan)
    for (RankPlan::State& state : plan.states) rename(state.checkpoint);
  for (Execution& execution : evidence.executions) {
    if (execution.variation.kind == Variation::Kind::cold) rename(execution.variation.name);
    for (Step& step : execution.steps) rename(step.plan.checkpoint);
  }
  return {};
}

}  // namespace

Result<Evidence> merge_attached(std::vector<Evidence> ranks) {
  if (ranks.empty()) return Status(Code::usage, "no ranks to put together");
  const auto count = static_cast<size_t>(ranks.front().the_case.ranks);
  const std::string name = ranks.front().the_case.scenario;
  std::vector<RankPart> parts(count);
  const Case asked = ranks.front().the_case;
  for (Evidence& each : ranks) {
    const size_t rank = each.numbers.empty() ? 0 : static_cast<size_t>(each.numbers.front());
    if (each.the_case.scenario != name || static_cast<size_t>(each.the_case.ranks) != count || rank >= count)
      return Status(Code::data, fmt::format("\"{}\" with {} ranks and \"{}\" with {} are of different runs", name, count,
                                            each.the_case.scenario, each.the_case.ranks));
    RELOADLAB_TRY(are_of_one_run(asked, each.the_case, rank));
    RELOADLAB_TRY(call_checkpoints_alike(asked, each, rank));
    if (parts[rank].evidence) return Status(Code::data, fmt::format("rank {} is there twice", rank));
    parts[rank].evidence = std::move(each);
  }
  for (size_t rank = 0; rank < count; ++rank)
    if (!parts[rank].evidence) return Status(Code::data, fmt::format("rank {} of {} is missing", rank, count));
  const Case the_case = parts.front().evidence->the_case;
  const std::string candidate = parts.front().evidence->candidate;
  return put_together(the_case, candidate, std::move(parts));
}

}  // namespace reloadlab::sim
