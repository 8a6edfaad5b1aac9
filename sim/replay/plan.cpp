#include "sim/replay/plan.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>

#include "reference/base/check.h"
#include "sim/replay/arrival.h"
#include "sim/replay/load_sizes.h"
#include "sim/replay/memory_model.h"
#include "sim/replay/whole_model_memory.h"

namespace reloadlab::sim {
namespace {

// Walks the steps and keeps, per update, which elements of which slot have been written.
class Planner {
 public:
  Planner(const Catalogue& catalogue, model::TensorParallel tp, const PlanPolicies& policies, const Stops& stops, WorldKind world)
      : catalogue_(catalogue),
        tp_(tp),
        policies_(policies),
        stops_(stops),
        world_(world),
        sizes_(catalogue, tp),
        now_(MemoryModel(catalogue, tp, policies.backup, policies.shadow, operators_of(world))) {
    if (policies.whole_model) whole_.emplace(catalogue, tp, policies.every_tie);
    begin_update();
  }

  RankPlan run(const std::vector<Step>& steps) {
    transport_owns_ = std::ranges::any_of(steps, [](const Step& step) { return step.plan.transport_owns(); });
    for (int layer = 0; layer < catalogue_.layer_count(); ++layer)
      plan_.totals.push_back({catalogue_.layer(layer).name, sizes_.of_layer(layer)});
    for (size_t i = 0; i < steps.size(); ++i) run_step(static_cast<int>(i), steps[i]);
    return std::move(plan_);
  }

 private:
  static size_t index(int number) { return static_cast<size_t>(number); }

  void begin_update() {
    now_.written.assign(index(catalogue_.target_count()), {});
    now_.padded.clear();
    now_.group_written.assign(index(catalogue_.layer_count()), 0);
    now_.group_done.assign(index(catalogue_.layer_count()), false);
    now_.group_received.assign(index(catalogue_.layer_count()), false);
    now_.sent.assign(catalogue_.deliveries().size(), "");
    now_.memory.begin();
    gaps_.clear();
    partial_ = false;
  }

  void run_step(int number, const Step& step) {
    refused_ = false;
    if (step.kind == StepKind::sleep || step.kind == StepKind::wake) return sleep_or_wake(number, step);
    const bool begins = step.kind == StepKind::reload || step.kind == StepKind::retry || step.kind == StepKind::prepare;
    const bool in_update = open_ || begins;
    switch (step.kind) {
      case StepKind::load:
        if (step.plan.direct) return void(loaded_ = true);  // without what loaders do it is no checkpoint
        now_.sent.assign(catalogue_.deliveries().size(), "");
        for (const Sent& sent : sequence(catalogue_, step.plan))
          if (sent.delivery >= 0) now_.sent[index(sent.delivery)] = step.plan.checkpoint;
        update_checkpoint_ = step.plan.checkpoint;
        loaded_ = loaded_ || (step.outcome == Step::Outcome::ok && !step.fault);
        partial_ = !step.plan.omit.empty() || !step.plan.only.empty();
        state(number, step);
        return;
      case StepKind::reload:
      case StepKind::retry:
        if (!open_ || step.outcome != Step::Outcome::error) {  // where it is refused the update that is open is abandoned
          begin_update();
          loads(number, step);
          finish(number, step.abort_after.has_value());
        }
        open_ = false;
        break;
      case StepKind::prepare:
        if (!open_ || step.outcome != Step::Outcome::error) begin_update();  // one that is refused leaves the update that is open
        open_ = true;
        break;
      case StepKind::loads:
        loads(number, step);
        break;
      case StepKind::finish:
        finish(number, false);
        if (step.outcome == Step::Outcome::ok) open_ = false;
        break;
      case StepKind::forward:
      case StepKind::capture:  // which warms up
        now_.memory.forward();
        break;
      case StepKind::abort:
        open_ = false;
        break;
      case StepKind::replay:
        break;
      case StepKind::destroy:
        return;
      case StepKind::repeat:
        RELOADLAB_CHECK(false, "repeat steps are unrolled before planning");
        return;
      default:
        RELOADLAB_CHECK(false, "cases with series have no plan of loads");
    }
    const bool commits = step.kind == StepKind::reload || step.kind == StepKind::retry || step.kind == StepKind::finish;
    note_peak(number, -1, !in_update ? 0 : commits && !step.abort_after ? finish_peak() : restored());
    if (asleep_) {  // nothing is expected of the model meanwhile, and what is to be refused begins no update
      open_ = false;
      return;
    }
    const bool fails = step.outcome != Step::Outcome::ok || step.fault || step.abort_after || refused_;
    if (commits && !fails) {
      state(number, step);
    } else if (!open_update(step) && step.outcome != Step::Outcome::unspecified) {
      same_state(number);
    }
  }

  // Awake the model holds what was kept.
  void sleep_or_wake(int number, const Step& step) {
    note_peak(number, -1, 0);
    if (step.kind == StepKind::sleep && step.outcome == Step::Outcome::error) return same_state(number);
    const int before = std::exchange(asleep_, step.kind == StepKind::sleep ? step.level : 0);
    if (asleep_ == 2) lose();
    if (before == 1) same_state(number);
  }

  void lose() {
    lost_ = true;
    held_.clear();
  }

  void same_state(int number) {
    if (lost_ || plan_.states.empty()) return;
    RankPlan::State same = plan_.states.back();
    same.step = number;
    plan_.states.push_back(same);
  }

  // scope=model: a model that was loaded and quantized is restored whole, and no load call leaves anything.
  bool restores() const { return whole_ && loaded_ && whole_->quantizes(); }
  int64_t restored() const { return restores() ? whole_->restored() : 0; }
  int64_t finish_peak() const { return restores() ? whole_->finish_peak() : 0; }

  int64_t straight_load(const Sent& sent) const {
    if (!whole_ || sent.delivery < 0) return restored();
    const model::Delivery& delivery = catalogue_.deliveries()[index(sent.delivery)];
    const int layer = catalogue_.layer_of(sent.delivery);
    const int64_t scratch = catalogue_.kind(layer).loader_scratch_bytes(catalogue_.layer(layer), delivery, tp_, operators_of(world_));
    return restored() + (transport_owns_ ? 0 : source_bytes_) + std::max(scratch, tiles(sent).replayed);
  }

  void note_peak(int number, int load, int64_t of_whole_model) {
    MemoryModel::Peak peak = now_.memory.take_peak();
    if (whole_) peak = {of_whole_model, of_whole_model};
    plan_.peaks.push_back({number, peak.went_through, load, peak.failed});
  }

  // After prepare or loads alone the model is in between: nothing is expected of its bytes.
  static bool open_update(const Step& step) { return step.kind == StepKind::prepare || step.kind == StepKind::loads; }

  // The model holds what was sent, and the rest as before: partial updates may add up to a whole checkpoint.
  void state(int number, const Step& step) {
    if (step.outcome != Step::Outcome::ok) return;
    lost_ = false;
    bool whole = true;
    held_.resize(now_.sent.size());
    for (size_t d = 0; d < now_.sent.size(); ++d) {
      if (!now_.sent[d].empty()) held_[d] = now_.sent[d];
      whole = whole && (held_[d] == update_checkpoint_ || sizes_.placements(static_cast<int>(d)).empty());
    }
    const std::string holds = partial_ ? update_checkpoint_ : mixture(number);
    plan_.states.push_back({number, holds, partial_ && !whole, partial_});
  }

  // What a complete update leaves: its checkpoint, or where several were delivered a mixture of them with a name of its own.
  std::string mixture(int number) {
    std::set<std::string> from(now_.sent.begin(), now_.sent.end());
    from.erase("");
    if (from.empty()) return update_checkpoint_;
    if (from.size() == 1) return *from.begin();  // what a later source brought again was dropped
    const std::string name = fmt::format("{} of step {}", fmt::join(from, "+"), number);
    plan_.mixtures.push_back({name, held_});
    return name;
  }

  void loads(int number, const Step& step) {
    deliver(number, step);
    now_.memory.leave();
  }

  void deliver(int number, const Step& step) {
    update_checkpoint_ = step.plan.checkpoint;
    const std::vector<Sent> sent = sequence(catalogue_, step.plan);
    std::map<int, int64_t> sizes;
    for (size_t i = 0; i < sent.size(); ++i) sizes[source_of(step, sent, i)] += held_bytes(catalogue_, step, sent[i], transport_owns_);
    for (size_t i = 0; i < sent.size(); ++i) {
      const int position = static_cast<int>(i);
      source_bytes_ = sizes[source_of(step, sent, i)];
      now_.memory.arrive(source_of(step, sent, i), source_bytes_);
      if (step.abort_after && position >= *step.abort_after) return;
      const auto stop = stops_.find(number);
      if (stop != stops_.end() && stop->second == position) return fail(number, position, sent[i]);
      load(number, position, sent[i]);
      if (refused_) return;
    }
  }

  // A call that failed took what it needed, and leaves nothing.
  void fail(int number, int position, const Sent& sent) {
    Progress before = now_;
    load(number, position, sent);
    if (refused_) return;
    now_ = std::move(before);
    PlannedLoad& failed = plan_.loads.back();
    failed.wrong = true;
    failed.excess = failed.completes = false;
    failed.fresh = 0;
  }

  void refuse(int number, int load) {
    refused_ = true;
    plan_.refusals.push_back({number, load});
  }

  // By then a candidate has copied what lay in a buffer of the transport.
  void refuse_excess(int number, int load, const Sent& sent) {
    const int group = catalogue_.group_of(catalogue_.layer_of(sent.delivery));
    if (transport_owns_ && !now_.group_done[index(group)]) now_.memory.pass(tiles(sent));
    refuse(number, load);
  }

  // Whether the load brings an element that is there already.
  bool repeats(int delivery, const PlannedLoad& planned) {
    const BoxSet& written = now_.written[index(catalogue_.target_of(delivery))];
    return std::ranges::any_of(planned.placements, [&](const model::Placement& p) { return written.meets({p.target_start, p.extent}); });
  }

  void load(int number, int position, const Sent& sent) {
    PlannedLoad planned{.step = number, .index = position, .delivery = sent.unknown};
    planned.wrong = sent.wrong_shape || sent.wrong_dtype;
    if (sent.delivery >= 0) {
      const model::Delivery& delivery = catalogue_.deliveries()[index(sent.delivery)];
      planned.delivery = delivery.name;
      planned.layer = delivery.layer;
      planned.slot = delivery.slot;
      planned.placements = sizes_.placements(sent.delivery);
      planned.bytes = numel(sent.shape_of(delivery)) * dtype_size(sent.dtype_of(delivery));
      planned.excess = policies_.rejects_excess && (repeats(sent.delivery, planned) || now_.padded.contains(sent.delivery));
      // A tensor of another shape is refused at once, and leaves nothing.
      if (!sent.wrong_shape) planned.excess ? refuse_excess(number, position, sent) : account(sent, planned);
    } else if (policies_.rejects_unexpected) {
      refuse(number, position);
    }
    plan_.loads.push_back(std::move(planned));
    note_peak(number, position, straight_load(sent));
  }

  MemoryModel::Tiles tiles(const Sent& sent) const {
    return world_ == WorldKind::cpu ? tiles_of(catalogue_, tp_, sent, transport_owns_) : MemoryModel::Tiles();
  }

  void account(const Sent& sent, PlannedLoad& planned) {
    const int number = sent.delivery;
    const int group = catalogue_.group_of(catalogue_.layer_of(number));
    int64_t touched = 0;
    for (const model::Placement& p : planned.placements) {
      planned.fresh += now_.written[index(catalogue_.target_of(number))].add({p.target_start, p.extent});
      touched += numel(p.extent);
    }
    planned.excess = touched > 0 && planned.fresh == 0;
    if (touched == 0) now_.sent[index(number)] = update_checkpoint_;  // also when the layer is complete: there was nothing to lose
    if (now_.group_done[index(group)]) {
      note_contradiction(number);
      if (!transport_owns_) now_.memory.pass({});
      return;
    }
    const int layer = catalogue_.layer_of(number);
    const bool pads = catalogue_.kind(layer).loader_pads(catalogue_.layer(layer), tp_);
    take(number);
    if (touched == 0 && !pads) {  // nothing of it is this rank's, and nothing need be kept
      if (!transport_owns_) now_.memory.pass({});
      return;
    }
    now_.memory.buffer(group, tiles(sent));
    now_.group_written[index(group)] += planned.fresh;
    now_.group_received[index(group)] = true;
    if (touched == 0 && pads) now_.padded.insert(number);
    const int64_t loadable = sizes_.of_group(group);
    const bool brings = planned.fresh > 0 || (loadable == 0 && pads);  // a rank that holds padding only waits for the padding
    if (!brings || now_.group_written[index(group)] < loadable || sizes_.deferred(group)) return;
    planned.completes = true;
    now_.group_done[index(group)] = true;
    now_.memory.process(group);
  }

  void note_contradiction(int number) {
    const std::string& from = now_.sent[index(number)];
    if (!from.empty() && from != update_checkpoint_) plan_.order_matters = true;
  }

  // The last of several checkpoints counts, also for other tensors of the same elements, whether they have come or not.
  void take(int number) {
    note_contradiction(number);
    now_.sent[index(number)] = update_checkpoint_;
    for (int other : sizes_.sharing(number)) {
      note_contradiction(other);
      now_.sent[index(other)] = update_checkpoint_;
    }
  }

  void finish(int number, bool abandoned) {
    if (abandoned || refused_) return;  // nothing is processed, and what did not come is nobody's loss
    for (size_t d = 0; d < catalogue_.deliveries().size(); ++d) note_missing(number, static_cast<int>(d));
    if (partial_ && policies_.rejects_missing) return refuse(number, -1);
    for (const bool deferred : {false, true})
      for (int group = 0; group < catalogue_.layer_count() && !refused_; ++group)
        if (sizes_.deferred(group) == deferred) finish_group(number, group);
  }

  void finish_group(int number, int group) {
    if (sizes_.deferred(group) && !now_.group_received[index(group)]) now_.memory.derive(group);
    if (now_.memory.has_buffered(group)) process_late(number, group);
  }

  // A group of which this rank takes nothing has nothing to process.
  void process_late(int number, int group) {
    if (!now_.group_received[index(group)]) return now_.memory.release(group);
    if (!policies_.rejects_gaps || !gaps_.contains(group)) return now_.memory.process(group);
    now_.memory.give_up(group);
    refuse(number, -1);
  }

  void note_missing(int number, int delivery) {
    const model::Delivery& what = catalogue_.deliveries()[index(delivery)];
    int64_t elements = 0;
    for (const Box& box : sizes_.targets(delivery)) elements += now_.written[index(catalogue_.target_of(delivery))].add(box);
    const int layer = catalogue_.layer_of(delivery);
    const bool pads = sizes_.placements(delivery).empty() && catalogue_.kind(layer).loader_pads(catalogue_.layer(layer), tp_);
    if (pads && !now_.padded.contains(delivery)) partial_ = true;  // padding that the loader writes did not come
    if (elements == 0) return;
    partial_ = true;
    if (!model::find_quant_method(catalogue_.layer(layer).quant)->permutes(what.slot)) gaps_.insert(catalogue_.group_of(layer));
    plan_.missing.push_back({number, what.layer, what.slot, elements});
  }

  // How far the update has come.
  struct Progress {
    explicit Progress(MemoryModel model) : memory(std::move(model)) {}
    MemoryModel memory;
    std::vector<BoxSet> written;  // by target
    std::vector<int64_t> group_written;
    std::vector<bool> group_done, group_received;
    std::set<int> padded;           // deliveries of which this rank got nothing but padding
    std::vector<std::string> sent;  // by delivery: the checkpoint that it was sent from
  };

  const Catalogue& catalogue_;
  model::TensorParallel tp_;
  PlanPolicies policies_;
  const Stops& stops_;
  WorldKind world_;
  std::optional<WholeModelMemory> whole_;  // scope=model: it has the last word about memory
  bool loaded_ = false;                    // for the first time
  LoadSizes sizes_;
  Progress now_;
  RankPlan plan_;
  bool transport_owns_ = false;  // loaded tensors are views of its buffer, and nobody's extra memory unless they are copied
  int64_t source_bytes_ = 0;     // of what the transport is at
  std::string update_checkpoint_;
  bool mixed_ = false;             // this update brought something from another checkpoint before
  std::vector<std::string> held_;  // by delivery: the checkpoint that the model holds it from
  bool partial_ = false;
  std::set<int> gaps_;    // groups in which something is missing that the kernel tensors do not tell
  bool refused_ = false;  // in the step that is planned
  int asleep_ = 0;        // the level of the sleep; 0: awake
  bool lost_ = false;     // contents were, and no update has brought others
  bool open_ = false;     // an update was begun and has not ended
};

}  // namespace

RankPlan make_plan(const Catalogue& catalogue, const std::vector<Step>& steps, model::TensorParallel tp, const PlanPolicies& policies,
                   const Stops& stops, WorldKind world) {
  return Planner(catalogue, tp, policies, stops, world).run(steps);
}

}  // namespace reloadlab::sim
