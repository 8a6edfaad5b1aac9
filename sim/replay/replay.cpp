#include "sim/replay/replay.h"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <new>

#include "reference/base/check.h"
#include "reference/model/layer.h"
#include "sim/evidence/text.h"
#include "sim/law/reading.h"
#include "sim/replay/executions.h"
#include "sim/replay/forward.h"
#include "sim/replay/limits.h"
#include "sim/replay/order_seen.h"
#include "sim/replay/plan.h"
#include "sim/replay/rank_classes.h"
#include "sim/replay/session.h"
#include "sim/replay/unequal_repeats.h"

namespace reloadlab::sim {
namespace {

class Replayer {
 public:
  Replayer(const Case& the_case, const CandidateInfo& candidate, const ReplayOptions& options)
      : case_(the_case),
        candidate_(candidate),
        options_(options),
        catalogue_(the_case.model),
        warm_(unroll(the_case.steps)),
        meant_(warm_) {}

  Result<Evidence> run() {
    RELOADLAB_TRY(open_checkpoints());
    describe();
    choose_ranks();
    plan({});
    if (!case_.series.empty()) return run_with_series();
    if (let_fit()) plan({});
    RELOADLAB_TRY(execute({.kind = Variation::Kind::warm}, warm_));
    if (let_fit()) plan({});
    if (std::vector<Stops> stops = stops_seen(); !stops.empty()) plan(stops);
    if (options_.prove_determinism) RELOADLAB_TRY(execute({.kind = Variation::Kind::again}, warm_));
    for (const Variation& variation : variations(needed_variations(case_), case_, catalogue_, {meant_, evidence_.plan}, chances_)) {
      std::vector<Step> steps = steps_of(variation, case_, meant_);
      if (!known(variation) && !steps.empty()) RELOADLAB_TRY(execute(variation, std::move(steps)));
    }
    return std::move(evidence_);
  }

 private:
  // Steps write what a cold load leaves, so cold loads come first; where there are bytes they need no devices.
  Result<Evidence> run_with_series() {
    if (!candidate_.make_series) return Status(Code::usage, candidate_.name + " is no weight series: it cannot play cases with series");
    for (const auto& [name, checkpoint] : checkpoints_) {
      const Variation cold{.kind = Variation::Kind::cold, .name = name};
      if (!known(cold)) RELOADLAB_TRY(execute(cold, steps_of(cold, case_, warm_)));
    }
    RELOADLAB_TRY(execute({.kind = Variation::Kind::warm}, warm_));
    if (options_.prove_determinism) RELOADLAB_TRY(execute({.kind = Variation::Kind::again}, warm_));
    return std::move(evidence_);
  }

  // Whether an earlier replay has played it.
  bool known(const Variation& variation) {
    const Execution* played = options_.others ? options_.others->find(variation.kind, variation.name, variation.index) : nullptr;
    if (played) evidence_.executions.push_back(*played);
    return played != nullptr;
  }

  at::Tensor processed(const std::string& checkpoint, const std::string& path) const {
    const Execution* cold = evidence_.find(Variation::Kind::cold, checkpoint);
    RELOADLAB_CHECK(cold, "a cold load of " + checkpoint);
    const CensusEntry* entry = cold->ranks.front().censuses.back().find(path);
    RELOADLAB_CHECK(entry, path);
    if (!entry->content) return shape_only(entry->shape, entry->dtype);
    const at::Tensor bytes = at::empty(entry->shape, model::to_torch(entry->dtype));
    std::memcpy(bytes.mutable_data_ptr(), entry->content->bytes.data(), entry->content->bytes.size());
    return bytes;
  }

  // Generated values go by the names that deliveries repeat: only files can have unequal ones, and what is made of them.
  bool reads_files() const {
    return std::ranges::any_of(case_.checkpoints,
                               [](const auto& each) { return each.second.source == CheckpointSpec::Source::safetensors; });
  }

  Status open_checkpoints() {
    for (const auto& [name, spec] : case_.checkpoints) {
      RELOADLAB_ASSIGN(std::shared_ptr<const Checkpoint> checkpoint, open_checkpoint(case_, name));
      checkpoints_[name] = remembered_checkpoint(std::move(checkpoint));
      send_unexpected(name, checkpoints_[name]->unexpected());
      if (reads_files()) RELOADLAB_TRY(check_repeats(name));
    }
    return {};
  }

  Status check_repeats(const std::string& checkpoint) {
    RELOADLAB_ASSIGN(const std::vector<int> layers, layers_with_unequal_repeats(catalogue_, *checkpoints_[checkpoint]));
    order_matters_ = order_matters_ || !layers.empty();
    for (size_t step = 0; step < warm_.size(); ++step)
      if (warm_[step].plan.checkpoint == checkpoint)
        RELOADLAB_TRY(check_listed_order(catalogue_, layers, warm_[step].plan, static_cast<int>(step)));
    return {};
  }

  // A load routine walks through the file: what no layer takes arrives as well, unless the step names what it sends.
  void send_unexpected(const std::string& checkpoint, const std::vector<std::string>& names) {
    for (Step& step : warm_) {
      std::vector<std::string>& unknown = step.plan.unknown;
      if (step.plan.checkpoint != checkpoint || !step.plan.only.empty()) continue;
      std::ranges::copy_if(names, std::back_inserter(unknown), [&](const auto& name) { return !std::ranges::count(unknown, name); });
    }
  }

  void describe() {
    evidence_.the_case = case_;
    evidence_.candidate = candidate_.name;
    evidence_.declared = candidate_.declared;
    evidence_.deliveries = catalogue_.deliveries();
    for (int layer = 0; layer < catalogue_.layer_count(); ++layer) {
      const model::LayerSpec& spec = catalogue_.layer(layer);
      evidence_.layers.push_back(spec.name);
      for (const model::SlotSpec& slot : catalogue_.kind(layer).slots(spec, case_.parallel(0)))
        if (slot.transform != model::SlotSpec::Transform::none) evidence_.transforms.emplace(spec.name + "." + slot.name, slot.transform);
    }
  }

  void choose_ranks() {
    evidence_.classes = rank_classes(catalogue_, case_);
    for (const RankClass& each : evidence_.classes) numbers_.insert(numbers_.end(), each.played.begin(), each.played.end());
    std::ranges::sort(numbers_);
    if (options_.seat) numbers_ = {options_.seat->rank};
    if (numbers_.size() < static_cast<size_t>(case_.ranks)) evidence_.numbers = numbers_;
  }

  // Where a tensor comes from both, ranks may differ in which one they drop: then each has a mixture of its own.
  void tell_apart(RankPlan& plan, int rank) {
    for (RankPlan::Mixture& mixture : plan.mixtures) {
      const auto first = std::ranges::find(evidence_.plan.front().mixtures, mixture.name, &RankPlan::Mixture::name);
      if (first == evidence_.plan.front().mixtures.end() || first->from == mixture.from) continue;
      const std::string name = mixture.name + " on rank " + std::to_string(rank);
      for (RankPlan::State& state : plan.states)
        if (state.checkpoint == mixture.name) state.checkpoint = name;
      mixture.name = name;
    }
  }

  // What an update leaves that several checkpoints were delivered to can be loaded cold, too.
  void note_mixtures(const RankPlan& plan) {
    for (const RankPlan::Mixture& mixture : plan.mixtures) {
      std::map<std::string, std::shared_ptr<const Checkpoint>> parts;
      for (size_t d = 0; d < mixture.from.size(); ++d) parts[catalogue_.deliveries()[d].name] = checkpoints_.at(mixture.from[d]);
      checkpoints_[mixture.name] = mixed_checkpoint(std::move(parts));
    }
  }

  void plan(const std::vector<Stops>& stops) {
    const PlanPolicies policies = PlanPolicies::declared(candidate_.declared);
    evidence_.plan.clear();
    meant_ = warm_;
    if (!case_.series.empty()) return evidence_.plan.resize(numbers_.size());  // the ring's laws know what must be where
    for (size_t i = 0; i < numbers_.size(); ++i) {
      const Stops none, &seen = stops.empty() ? none : stops[i];
      evidence_.plan.push_back(make_plan(catalogue_, warm_, case_.parallel(numbers_[i]), policies, seen, case_.world));
      if (order_matters_) evidence_.plan.back().order_matters = true;
      tell_apart(evidence_.plan.back(), numbers_[i]);
      note_mixtures(evidence_.plan.back());
      for (const RankPlan::Refusal& refusal : evidence_.plan.back().refusals)
        meant_[static_cast<size_t>(refusal.step)].outcome = Step::Outcome::error;
    }
  }

  // Models beyond the first one have executions of their own (play_at_once).
  std::function<void(int, int, const Event&)> teller(const Variation& variation) const {
    if (!options_.on_event) return {};
    return [this, variation](int rank, int model, const Event& event) {
      Variation of = variation;
      if (model > 0) of.index = model;
      options_.on_event(of, rank, event);
    };
  }

  // A limit refuses what needs more than it allows, which is a matter of the candidate's policies: what fits by the formula is to go
  // through. To candidates that need not materialize every layer the formula is a bound, and what went through is held to the limit.
  bool let_fit() {
    bool any = false;
    for (size_t i = 0; i < warm_.size(); ++i) {
      const int step = static_cast<int>(i);
      if (!is_refused_for_memory(case_, warm_[i]) || (!fits(case_, evidence_.plan, step) && !went_through_landing(evidence_, step)))
        continue;
      warm_[i].outcome = Step::Outcome::ok;
      if (!evidence_.executions.empty()) evidence_.executions.front().steps[i].outcome = Step::Outcome::ok;
      any = true;
    }
    return any;
  }

  static bool may_stop(const Step& step) { return step.kind == StepKind::loads && (step.fault || step.outcome != Step::Outcome::ok); }

  // Per rank, where calls of `loads` steps that are to fail failed in the warm execution; empty when none did.
  std::vector<Stops> stops_seen() const {
    const std::vector<RankRun>& ranks = evidence_.executions.front().ranks;
    std::vector<Stops> stops(ranks.size());
    bool any = false;
    for (size_t rank = 0; rank < ranks.size(); ++rank)
      for (const StepOutcome& outcome : ranks[rank].outcomes) {
        if (outcome.step < 0 || outcome.status.ok() || !may_stop(warm_[static_cast<size_t>(outcome.step)])) continue;
        any = true;
        stops[rank][outcome.step] = static_cast<int>(outcome.load_statuses.size()) - 1;
      }
    return any ? stops : std::vector<Stops>();
  }

  Status execute(const Variation& variation, std::vector<Step> steps) {
    using Kind = Variation::Kind;
    const int poison = variation.kind == Kind::poison || (variation.kind == Kind::cold && variation.index == 1) ? 1 : 0;
    const bool plain = variation.kind == Kind::cold && !case_.series.empty() && case_.world != WorldKind::meta;
    // Post-load steps round as their device does, so real ones load cold themselves.
    const WorldKind kind = plain && case_.world == WorldKind::sim ? WorldKind::cpu : case_.world;
    WorldRequest request{.kind = kind, .ranks = case_.ranks, .local = numbers_, .poison = poison};
    request.devices = !case_.series.empty() && !plain;
    request.order = order_is_seen(case_, variation);
    request.seat = options_.seat;
    request.delays = case_.delays;
    request.allocator = case_.allocator;
    request.collectives = case_.collectives;
    request.timed = options_.timed, request.rates = options_.rates;
    if (case_.timing) request.collective_picoseconds = case_.timing->broadcast * 1000;
    RELOADLAB_ASSIGN(std::unique_ptr<World> world, options_.make_world ? options_.make_world(request) : make_world(request));
    const bool together = !case_.series.empty() && variation.kind != Kind::cold;
    const size_t first = evidence_.executions.size();
    for (int model = 0; model < (together ? case_.models : 1); ++model) {
      Execution& each = evidence_.executions.emplace_back();
      each.variation = variation;
      if (model > 0) each.variation.index = model;
      each.steps = steps;
      each.ranks.resize(numbers_.size());
    }
    const Stage stage{.the_case = case_,
                      .catalogue = catalogue_,
                      .candidate = variation.kind == Kind::cold ? nullptr : &candidate_,
                      .variation = variation,
                      .world = *world,
                      .blobs = blobs_,
                      .checkpoints = checkpoints_,
                      .digits = variation.kind == Kind::digit
                                    ? std::shared_ptr<const Checkpoint>(digit_checkpoint(catalogue_.deliveries(), variation.index))
                                    : nullptr,
                      .keep_allocations = options_.keep_allocations && variation.kind == Kind::warm,
                      .processed = [this](const auto& checkpoint, const auto& path) { return processed(checkpoint, path); },
                      .on_event = teller(variation)};
    return together ? play_at_once(stage, first) : play(stage, evidence_.executions[first]);
  }

  // Ranks with series talk: each does all of its steps while the others do theirs. Models beyond the first one have an execution each.
  Status play_at_once(const Stage& stage, size_t first_execution) {
    at::AutoDispatchBelowADInplaceOrView no_autograd;
    Party party{stage, first_execution, std::vector<Sessions>(static_cast<size_t>(case_.models)), std::vector<Status>(numbers_.size())};
    for (Sessions& each : party.models) each.resize(numbers_.size());
    // The first load is the same in every schedule: what comes after it is what they are about.
    const std::vector<Step>& steps = evidence_.executions[first_execution].steps;
    const int loaded = !steps.empty() && steps.front().kind == StepKind::load ? 1 : 0;
    play_together(party, {-1, loaded}, false);
    Execution& execution = evidence_.executions[first_execution];
    if (execution.stopped.empty()) play_together(party, {loaded, static_cast<int>(steps.size())}, true);
    note_order(*stage.world.devices(), numbers_, execution);  // before the harness's own reads, which wait for nobody
    if (options_.after_run) options_.after_run(stage.world);
    stage.world.devices()->apart([&] {
      for (const Sessions& sessions : party.models)
        for (const auto& session : sessions)
          if (session) session->collect(options_.on_copy);
    });
    for (const Status& status : party.statuses) RELOADLAB_TRY(status);
    return {};
  }

  using Sessions = std::vector<std::unique_ptr<RankSession>>;  // by rank
  struct Party {
    const Stage& stage;
    size_t first_execution;
    std::vector<Sessions> models;
    std::vector<Status> statuses;  // by rank
  };
  // Step -1 is construction.
  struct Range {
    int first, end;
  };

  void play_together(Party& party, Range steps, bool open) {
    const Devices::Ended ended = party.stage.world.devices()->run(
        [&](int rank) {
          const auto at = static_cast<size_t>(std::ranges::lower_bound(numbers_, rank) - numbers_.begin());
          for (int i = steps.first; i < steps.end && party.statuses[at].ok(); ++i) party.statuses[at] = play_step(party, at, i);
        },
        open);
    Execution& execution = evidence_.executions[party.first_execution];
    execution.stopped = ended.why;
    execution.waits = ended.waits;
    execution.stopped_in = ended.in_step;
  }

  Status play_step(Party& party, size_t at, int step) {
    for (size_t model = 0; model < party.models.size(); ++model) {
      auto& session = party.models[model][at];
      Execution& execution = evidence_.executions[party.first_execution + model];
      if (!session) session = std::make_unique<RankSession>(party.stage, numbers_[at], execution.ranks[at], static_cast<int>(model));
      if (session->lost()) continue;
      if (options_.on_step) options_.on_step(party.stage.variation, numbers_[at], step);
      RELOADLAB_TRY(step < 0 ? session->construct() : session->run_step(step, execution.steps[static_cast<size_t>(step)]));
    }
    return {};
  }

  // A device that a candidate has spoiled fails the harness's own work on it, too.
  Status play(const Stage& stage, Execution& execution) try {
    RELOADLAB_TRY(play_steps(stage, execution));
    if (order_is_seen(case_, stage.variation) && stage.world.seen_order()) note_races(*stage.world.seen_order(), numbers_, execution);
    return lost(stage, stage.candidate ? stage.world.broken() : "");
  } catch (const c10::OutOfMemoryError& error) {
    if (!stage.candidate) throw std::bad_alloc();
    return lost(stage, first_line(error.what_without_backtrace()));
  } catch (const c10::Error&) {
    const Status status = lost(stage, stage.candidate ? stage.world.broken() : "");
    if (status.ok()) throw;
    return status;
  }

  static Status lost(const Stage& stage, const std::string& why) {
    return why.empty() ? Status() : Status(Code::lost, fmt::format("{}: {}", stage.variation.label(), why));
  }

  Status play_steps(const Stage& stage, Execution& execution) {
    at::AutoDispatchBelowADInplaceOrView no_autograd;
    std::vector<std::unique_ptr<RankSession>> sessions(execution.ranks.size());
    Status status;
    auto each = [&](int step, auto&& body) {
      stage.world.each_rank([&](int rank) {
        if (!status.ok()) return;
        if (options_.on_step) options_.on_step(stage.variation, rank, step);
        status = body(static_cast<size_t>(std::ranges::lower_bound(numbers_, rank) - numbers_.begin()));
      });
    };
    each(-1, [&](size_t rank) {
      sessions[rank] = std::make_unique<RankSession>(stage, numbers_[rank], execution.ranks[rank]);
      return sessions[rank]->construct();
    });
    for (size_t i = 0; i < execution.steps.size() && status.ok(); ++i) {
      const int number = static_cast<int>(i);
      if (execution.steps[i].kind == StepKind::forward) {
        if (options_.on_step) options_.on_step(stage.variation, 0, number);
        run_forward(stage, sessions, number);
        continue;
      }
      each(number, [&](size_t rank) { return sessions[rank]->run_step(number, execution.steps[i]); });
      if (!status.ok()) break;
      for (const auto& session : sessions) session->recount();
      if (stage.variation.kind == Variation::Kind::warm && number == fault_step(meant_)) note_chances(sessions);
    }
    return status;
  }

  // A fault must strike on every rank, so what counts are the chances that all of them had.
  void note_chances(const std::vector<std::unique_ptr<RankSession>>& sessions) {
    chances_ = sessions.front()->chances();
    for (const auto& session : sessions) {
      const Chances& other = session->chances();
      chances_.loader = std::min(chances_.loader, other.loader);
      chances_.post_load_enter = std::min(chances_.post_load_enter, other.post_load_enter);
      chances_.post_load_middle = std::min(chances_.post_load_middle, other.post_load_middle);
      chances_.copy_back = std::min(chances_.copy_back, other.copy_back);
      chances_.source = std::min(chances_.source, other.source);
    }
  }

  const Case& case_;
  const CandidateInfo& candidate_;
  const ReplayOptions& options_;
  Catalogue catalogue_;
  std::vector<Step> warm_;
  std::vector<Step> meant_;  // the same, and what a declared policy refuses on some rank is meant to fail
  Checkpoints checkpoints_;
  bool order_matters_ = false;  // a file has unequal values for one place
  std::vector<int> numbers_;    // of the ranks that are played
  BlobStore blobs_;
  Chances chances_;
  Evidence evidence_;
};

}  // namespace

Result<Evidence> replay(const Case& the_case, const CandidateInfo& candidate, const ReplayOptions& options) {
  at::set_num_threads(1);
  return Replayer(the_case, candidate, options).run();
}

}  // namespace reloadlab::sim
