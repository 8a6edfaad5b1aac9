#include "tests/sim/law/fixture.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "reference/base/check.h"
#include "sim/checkpoint/digits.h"
#include "sim/evidence/enums.h"
#include "sim/evidence/fingerprint.h"

namespace reloadlab::sim {
namespace {

constexpr int kFc = 0, kNorm = 1;

std::vector<model::Delivery> deliveries() {
  return {{.name = "fc.q", .shape = {2, 2}, .layer = "fc", .slot = "weight"},
          {.name = "fc.k", .shape = {2, 2}, .layer = "fc", .slot = "weight"},
          {.name = "norm.weight", .shape = {2}, .layer = "norm", .slot = "weight"}};
}

std::vector<PlannedLoad> loads_of(int step) {
  return {{.step = step,
           .index = 0,
           .delivery = "fc.q",
           .layer = "fc",
           .slot = "weight",
           .placements = {{{0, 0}, {0, 0}, {2, 2}}},
           .bytes = 8,
           .fresh = 4},
          {.step = step,
           .index = 1,
           .delivery = "fc.k",
           .layer = "fc",
           .slot = "weight",
           .placements = {{{0, 0}, {2, 0}, {2, 2}}},
           .bytes = 8,
           .fresh = 4,
           .completes = true},
          {.step = step,
           .index = 2,
           .delivery = "norm.weight",
           .layer = "norm",
           .slot = "weight",
           .placements = {{{0}, {0}, {2}}},
           .bytes = 4,
           .fresh = 2,
           .completes = true}};
}

uint16_t bf16(float value) { return static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16); }

BlobPtr counting_blob(int64_t elements, float first) {
  Bytes bytes(static_cast<size_t>(elements) * 2);
  for (int64_t i = 0; i < elements; ++i) {
    const uint16_t bits = bf16(first + static_cast<float>(i));
    std::memcpy(&bytes[static_cast<size_t>(i) * 2], &bits, 2);
  }
  return make_blob(std::move(bytes));
}

CensusEntry slot(const std::string& layer, Shape shape, Shape strides, int64_t serial, float first) {
  const int64_t elements = numel(shape);
  return {.path = layer + ".weight",
          .layer = layer,
          .handle = serial,
          .storage = serial,
          .shape = std::move(shape),
          .strides = std::move(strides),
          .dtype = DType::bf16,
          .tensor_class = "Parameter",
          .loader = "weight_loader(bound)",
          .attributes = "output_dim=0",
          .content = counting_blob(elements, first)};
}

// The model holding a checkpoint: its first value is 1 (A), 101 (B), or what digit plane 0 gives.
// The norm's weight stands for something derived as well; tests give it sources.
Census census_of(int step, float first) {
  return {.step = step,
          .entries = {slot("fc", {4, 2}, {2, 1}, 0, first), slot("norm", {2}, {1}, 1, first + 8)},
          .derived = {{.path = "norm.weight", .content = counting_blob(2, first + 8)}},
          .flags = "_do_torchao_reload=0"};
}

void load_events(RankRun& run, int step) {
  for (const PlannedLoad& load : loads_of(step)) {
    const int layer = load.layer == "fc" ? kFc : kNorm;
    run.events.push_back({EventKind::load_begin, step, load.index, layer, 0, 0, load.delivery});
    run.events.push_back({EventKind::load_counted, step, load.index, layer, load.fresh, 0, "weight"});
    if (load.completes) {
      run.events.push_back({EventKind::completed, step, load.index, layer, 0, 0, ""});
      run.events.push_back({EventKind::write_kernel, step, load.index, layer, layer == kFc ? 8 : 2, 0, "weight aten::copy_"});
      run.events.push_back({EventKind::copied_back, step, load.index, layer, 0, 0, ""});
    }
    run.events.push_back({EventKind::load_end, step, load.index, layer, 0, 0, ""});
  }
}

void reload(RankRun& run, int step, float first) {
  run.events.push_back({EventKind::step_begin, step});
  run.events.push_back({EventKind::prepare_begin, step});
  run.events.push_back({EventKind::prepare_end, step});
  load_events(run, step);
  run.events.push_back({EventKind::finish_begin, step});
  run.events.push_back({EventKind::finish_end, step});
  run.events.push_back({EventKind::step_end, step});
  run.censuses.push_back(census_of(step, first));
  StepOutcome outcome{.step = step, .load_statuses = std::vector<Status>(3), .load_operators = {3, 9, 9}, .extra_bytes_peak = 32};
  outcome.live_layers = 3, outcome.live_parameters = 2, outcome.live_allocations = 2, outcome.live_bytes = 20;
  run.outcomes.push_back(std::move(outcome));
}

void load(RankRun& run, int step, float first) {
  run.censuses.push_back(census_of(step, first));
  for (const PlannedLoad& each : loads_of(step)) run.events.push_back({EventKind::load_begin, step, each.index, -1, 0, 0, each.delivery});
  run.outcomes.push_back({.step = step, .load_operators = {2, 2, 2}});
}

Step step_of(StepKind kind, const std::string& checkpoint) {
  Step step{.kind = kind};
  step.plan.checkpoint = checkpoint;
  return step;
}

const std::vector<Step>& own_steps() {
  static const std::vector<Step> steps = {step_of(StepKind::load, "A"), step_of(StepKind::reload, "B"), step_of(StepKind::reload, "A")};
  return steps;
}

// What the steps of an execution leave on a rank. In digit executions updates bring the numbers 1, 2, 3 …, as A does.
RankRun play(const Execution& execution) {
  RankRun run;
  for (size_t i = 0; i < execution.steps.size(); ++i) {
    const int step = static_cast<int>(i);
    const Step& planned = execution.steps[i];
    const bool digits = execution.variation.kind == Variation::Kind::digit;
    const float first = planned.plan.checkpoint == "A" || digits ? 1 : 101;
    if (planned.kind == StepKind::load) load(run, step, first);
    if (planned.kind == StepKind::reload || planned.kind == StepKind::retry) reload(run, step, first);
    if (planned.kind == StepKind::destroy) run.outcomes.push_back({.step = step});
  }
  return run;
}

// The fault execution: the reload to A fails while it copies back, is rolled back to B, and is retried.
void strike(RankRun& run) {
  const auto write = std::ranges::find_if(run.events, event_at(kToA, EventKind::write_kernel, kNorm));
  run.events.insert(write, {EventKind::fault, kToA, 2, kNorm, 0, 0, "injected fault"});
  run.outcomes[kToA].status = Status(Code::failed, "injected fault");
  run.censuses[kToA] = census_of(kToA, 101);
}

}  // namespace

Fixture::Fixture(int ranks) {
  evidence.candidate = "layerwise@hardened";
  evidence.declared = {{"abort", "backup"}, {"excess", "warn"}, {"missing", "warn"}, {"unexpected", "warn"}, {"reports", "yes"}};
  evidence.layers = {"fc", "norm"};
  evidence.deliveries = deliveries();
  evidence.the_case.scenario = "by-hand";
  evidence.the_case.ranks = ranks;
  evidence.classes.resize(1);
  for (int rank = 0; rank < ranks; ++rank) evidence.classes[0].members.push_back(rank), evidence.classes[0].played.push_back(rank);
  evidence.the_case.steps = own_steps();
  evidence.the_case.model.layers = {{.name = "fc", .kind = "column_parallel_linear"}, {.name = "norm", .kind = "norm"}};
  RankPlan planned{.totals = {{"fc", 8}, {"norm", 2}},
                   .peaks = {{kToB, 32}, {kToA, 32}},
                   .states = {{kLoadA, "A", false}, {kToB, "B", false}, {kToA, "A", false}}};
  for (int step : {kToB, kToA})
    for (PlannedLoad& each : loads_of(step)) planned.loads.push_back(std::move(each));
  evidence.plan.assign(static_cast<size_t>(ranks), planned);

  const auto add = [&](Variation variation, std::vector<Step> steps) {
    Execution& execution = evidence.executions.emplace_back(Execution{std::move(variation), std::move(steps), {}});
    execution.ranks.assign(static_cast<size_t>(ranks), play(execution));
  };
  using Kind = Variation::Kind;
  add({.kind = Kind::warm}, own_steps());
  add({.kind = Kind::poison, .index = 1}, own_steps());
  for (const char* name : {"A", "B"})
    for (int poison : {0, 1}) add({.kind = Kind::cold, .name = name, .index = poison}, {step_of(StepKind::load, name)});
  add({.kind = Kind::digit}, own_steps());
  add({.kind = Kind::order}, own_steps());
  std::vector<Step> faulted = own_steps();
  faulted[kToA].fault = Fault{Fault::At::copy_back, 1};
  faulted[kToA].outcome = Step::Outcome::unspecified;
  faulted.push_back(step_of(StepKind::retry, "A"));
  add({.kind = Kind::fault, .fault = faulted[kToA].fault}, faulted);
  for (RankRun& each : evidence.executions.back().ranks) strike(each);
  std::vector<Step> repeated = own_steps();
  for (const char* name : {"A", "B", "A"}) repeated.push_back(step_of(StepKind::reload, name));
  repeated.push_back(step_of(StepKind::destroy, ""));
  add({.kind = Kind::repeat, .index = 3}, repeated);
}

Execution& Fixture::run(Variation::Kind kind, std::string_view name, int index) {
  const Execution* found = evidence.find(kind, name, index);
  RELOADLAB_CHECK(found, "no such execution");
  return const_cast<Execution&>(*found);
}

CensusEntry& Fixture::entry(Execution& execution, int step, const std::string& path, size_t rank) {
  for (CensusEntry& each : census(execution, step, rank).entries)
    if (each.path == path) return each;
  RELOADLAB_CHECK(false, path);
}

Census& Fixture::census(Execution& execution, int step, size_t rank) {
  for (Census& each : execution.ranks[rank].censuses)
    if (each.step == step) return each;
  RELOADLAB_CHECK(false, std::to_string(step));
}

StepOutcome& Fixture::outcome(Execution& execution, int step, size_t rank) {
  for (StepOutcome& each : execution.ranks[rank].outcomes)
    if (each.step == step) return each;
  RELOADLAB_CHECK(false, std::to_string(step));
}

PlannedLoad& Fixture::load(int step, const std::string& delivery) {
  for (PlannedLoad& each : plan().loads)
    if (each.step == step && each.delivery == delivery) return each;
  RELOADLAB_CHECK(false, delivery);
}

void Fixture::set(CensusEntry& entry, int64_t element, float value) { set_bits(entry, element, bf16(value)); }

void Fixture::set_bits(CensusEntry& entry, int64_t element, uint16_t bits) {
  Bytes bytes = entry.content->bytes;
  std::memcpy(&bytes[static_cast<size_t>(element) * 2], &bits, 2);
  entry.content = make_blob(std::move(bytes));
}

void Fixture::each_rank_run(const std::function<void(Execution&, RankRun&)>& change) {
  for (Execution& execution : evidence.executions)
    for (RankRun& each : execution.ranks) change(execution, each);
}

void Fixture::erase(const Wanted& wanted) { RELOADLAB_CHECK(std::erase_if(events(), wanted) > 0, "no such event"); }

void Fixture::insert_before(const Wanted& wanted, Event event) {
  events().insert(std::ranges::find_if(events(), wanted), std::move(event));
}

void Fixture::insert_after(const Wanted& wanted, Event event) {
  events().insert(std::next(std::ranges::find_if(events(), wanted)), std::move(event));
}

Fixture::Wanted event_at(int step, EventKind kind, int layer) {
  return [=](const Event& event) { return event.step == step && event.kind == kind && (layer < 0 || event.layer == layer); };
}

std::string text(const Verdict& verdict) {
  if (verdict.outcome == Outcome::pass) return "pass";
  if (verdict.outcome == Outcome::inconclusive) return "inconclusive: " + verdict.reason;
  if (verdict.outcome == Outcome::unsupported) return "unsupported: " + verdict.reason;
  const Finding& found = *verdict.finding;
  std::string line = fmt::format("fail: {}, rank {}, step {}, {}: {}", found.execution, found.rank, found.step, found.tensor, found.what);
  if (!found.first.empty()) line += " | " + found.first;
  if (!found.why.empty()) line += " | " + found.why;
  return line;
}

}  // namespace reloadlab::sim
