#include "sim/replay/plan.h"

#include <algorithm>
#include <set>

#include "reference/base/check.h"
#include "sim/replay/boxes.h"
#include "sim/replay/memory_model.h"

namespace reloadlab::sim {
namespace {

void unroll_into(const std::vector<Step>& steps, std::vector<Step>& out) {
  for (const Step& step : steps) {
    if (step.kind != StepKind::repeat) {
      out.push_back(step);
      continue;
    }
    for (int64_t i = 0; i < step.times; ++i) unroll_into(step.body, out);
  }
}

// Walks the steps and keeps, per update, which elements of which slot have been written.
class Planner {
 public:
  Planner(const Catalogue& catalogue, model::TensorParallel tp, const PlanPolicies& policies)
      : catalogue_(catalogue),
        tp_(tp),
        policies_(policies),
        memory_(catalogue, tp, policies.backup, policies.shadow),
        loadable_(layer_sizes()) {
    begin_update();
  }

  RankPlan run(const std::vector<Step>& steps) {
    transport_owns_ = std::ranges::any_of(steps, [](const Step& step) { return step.plan.chunk > 0; });
    for (int layer = 0; layer < catalogue_.layer_count(); ++layer)
      plan_.totals.push_back({catalogue_.layer(layer).name, loadable_[static_cast<size_t>(layer)]});
    for (size_t i = 0; i < steps.size(); ++i) run_step(static_cast<int>(i), steps[i]);
    return std::move(plan_);
  }

 private:
  size_t index(int layer) const { return static_cast<size_t>(layer); }

  std::vector<Box> target_boxes(int delivery) const {
    std::vector<Box> boxes;
    for (const model::Placement& p : placements(delivery)) boxes.push_back({p.target_start, p.extent});
    return boxes;
  }

  std::vector<model::Placement> placements(int delivery) const {
    const int layer = catalogue_.layer_of(delivery);
    return catalogue_.kind(layer).placements(catalogue_.layer(layer), catalogue_.deliveries()[index(delivery)], tp_);
  }

  // Elements of each layer that a complete checkpoint writes.
  std::vector<int64_t> layer_sizes() const {
    std::vector<int64_t> sizes(index(catalogue_.layer_count()));
    std::map<std::string, BoxSet> written;
    for (size_t d = 0; d < catalogue_.deliveries().size(); ++d) {
      const int delivery = static_cast<int>(d);
      for (const Box& box : target_boxes(delivery))
        sizes[index(catalogue_.layer_of(delivery))] += written[catalogue_.target_of(delivery)].add(box);
    }
    return sizes;
  }

  int64_t group_loadable(int group) const {
    int64_t total = 0;
    for (int layer = 0; layer < catalogue_.layer_count(); ++layer)
      if (catalogue_.group_of(layer) == group) total += loadable_[index(layer)];
    return total;
  }

  bool group_deferred(int group) const {
    for (int layer = 0; layer < catalogue_.layer_count(); ++layer)
      if (catalogue_.group_of(layer) == group && catalogue_.deferred(layer)) return true;
    return false;
  }

  void begin_update() {
    written_.clear();
    group_written_.assign(index(catalogue_.layer_count()), 0);
    group_done_.assign(index(catalogue_.layer_count()), false);
    group_received_.assign(index(catalogue_.layer_count()), false);
    sent_.assign(catalogue_.deliveries().size(), "");
    memory_.begin();
    gaps_.clear();
    partial_ = false;
  }

  void run_step(int number, const Step& step) {
    refused_ = false;
    switch (step.kind) {
      case StepKind::load:
        sent_.assign(catalogue_.deliveries().size(), "");
        for (const Sent& sent : sequence(catalogue_, step.plan))
          if (sent.delivery >= 0) sent_[index(sent.delivery)] = step.plan.checkpoint;
        update_checkpoint_ = step.plan.checkpoint;
        partial_ = !step.plan.omit.empty() || !step.plan.only.empty();
        state(number, step);
        return;
      case StepKind::reload:
      case StepKind::retry:
        begin_update();
        loads(number, step);
        finish(number, step.abort_after.has_value());
        break;
      case StepKind::prepare:
        begin_update();
        break;
      case StepKind::loads:
        loads(number, step);
        break;
      case StepKind::finish:
        finish(number, false);
        break;
      case StepKind::forward:
        memory_.forward();
        break;
      case StepKind::abort:
        break;
      case StepKind::destroy:
        return;
      case StepKind::repeat:
        RELOADLAB_CHECK(false, "repeat steps are unrolled before planning");
    }
    note_peak(number, -1);
    const bool fails = step.outcome != Step::Outcome::ok || step.fault || step.abort_after || refused_;
    const bool commits = step.kind == StepKind::reload || step.kind == StepKind::retry || step.kind == StepKind::finish;
    if (commits && !fails) {
      state(number, step);
    } else if (!open_update(step) && step.outcome != Step::Outcome::unspecified && !plan_.states.empty()) {
      RankPlan::State same = plan_.states.back();
      same.step = number;
      plan_.states.push_back(same);
    }
  }

  void note_peak(int number, int load) {
    const MemoryModel::Peak peak = memory_.take_peak();
    plan_.peaks.push_back({number, peak.went_through, load, peak.failed});
  }

  // After prepare or loads alone the model is in between: nothing is expected of its bytes.
  static bool open_update(const Step& step) { return step.kind == StepKind::prepare || step.kind == StepKind::loads; }

  // The model holds what was sent, and the rest as before: partial updates may add up to a whole checkpoint.
  void state(int number, const Step& step) {
    if (step.outcome != Step::Outcome::ok) return;
    bool whole = true;
    held_.resize(sent_.size());
    for (size_t d = 0; d < sent_.size(); ++d) {
      if (!sent_[d].empty()) held_[d] = sent_[d];
      whole = whole && (held_[d] == update_checkpoint_ || placements(static_cast<int>(d)).empty());
    }
    plan_.states.push_back({number, update_checkpoint_, partial_ && !whole});
  }

  void loads(int number, const Step& step) {
    update_checkpoint_ = step.plan.checkpoint;
    const std::vector<Sent> sent = sequence(catalogue_, step.plan);
    for (size_t i = 0; i < sent.size(); ++i) {
      if (step.abort_after && static_cast<int64_t>(i) >= *step.abort_after) return;
      load(number, static_cast<int>(i), sent[i]);
      if (refused_) return;
    }
  }

  void refuse(int number, int load) {
    refused_ = true;
    plan_.refusals.push_back({number, load});
  }

  // Whether the load brings an element that is there already.
  bool repeats(int delivery, const PlannedLoad& planned) {
    const BoxSet& written = written_[catalogue_.target_of(delivery)];
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
      planned.placements = placements(sent.delivery);
      planned.bytes = numel(sent.wrong_shape.value_or(delivery.shape)) * dtype_size(sent.wrong_dtype.value_or(delivery.dtype));
      planned.excess = policies_.rejects_excess && repeats(sent.delivery, planned);
      // A tensor of another shape is refused at once, and leaves nothing.
      if (!sent.wrong_shape) planned.excess ? refuse(number, position) : account(sent.delivery, planned);
    } else if (policies_.rejects_unexpected) {
      refuse(number, position);
    }
    plan_.loads.push_back(std::move(planned));
    note_peak(number, position);
  }

  void account(int number, PlannedLoad& planned) {
    const int group = catalogue_.group_of(catalogue_.layer_of(number));
    int64_t touched = 0;
    for (const model::Placement& p : planned.placements) {
      planned.fresh += written_[catalogue_.target_of(number)].add({p.target_start, p.extent});
      touched += numel(p.extent);
    }
    planned.excess = touched > 0 && planned.fresh == 0;
    if (group_done_[index(group)]) {
      if (!transport_owns_) memory_.pass(planned.bytes);
      return;
    }
    memory_.buffer(group, planned.bytes);
    sent_[index(number)] = update_checkpoint_;
    group_written_[index(group)] += planned.fresh;
    const int layer = catalogue_.layer_of(number);
    const bool pads = catalogue_.kind(layer).loader_pads(catalogue_.layer(layer), tp_);
    if (touched > 0 || pads) group_received_[index(group)] = true;
    const int64_t loadable = group_loadable(group);
    const bool brings = planned.fresh > 0 || (loadable == 0 && pads);  // a rank that holds padding only waits for the padding
    if (!brings || group_written_[index(group)] < loadable || group_deferred(group)) return;
    planned.completes = true;
    group_done_[index(group)] = true;
    memory_.process(group);
  }

  void finish(int number, bool abandoned) {
    if (abandoned || refused_) return;  // nothing is processed, and what did not come is nobody's loss
    for (size_t d = 0; d < catalogue_.deliveries().size(); ++d) note_missing(number, static_cast<int>(d));
    if (partial_ && policies_.rejects_missing) return refuse(number, -1);
    for (const bool deferred : {false, true})
      for (int group = 0; group < catalogue_.layer_count() && !refused_; ++group)
        if (memory_.has_buffered(group) && group_deferred(group) == deferred) process_late(number, group);
  }

  // A group of which this rank takes nothing has nothing to process.
  void process_late(int number, int group) {
    if (!group_received_[index(group)]) return memory_.release(group);
    if (!policies_.rejects_gaps || !gaps_.contains(group)) return memory_.process(group);
    memory_.give_up(group);
    refuse(number, -1);
  }

  void note_missing(int number, int delivery) {
    const model::Delivery& what = catalogue_.deliveries()[index(delivery)];
    int64_t elements = 0;
    for (const Box& box : target_boxes(delivery)) elements += written_[catalogue_.target_of(delivery)].add(box);
    if (elements == 0) return;
    partial_ = true;
    const int layer = catalogue_.layer_of(delivery);
    if (!model::find_quant_method(catalogue_.layer(layer).quant)->permutes(what.slot)) gaps_.insert(catalogue_.group_of(layer));
    plan_.missing.push_back({number, what.layer, what.slot, elements});
  }

  const Catalogue& catalogue_;
  model::TensorParallel tp_;
  PlanPolicies policies_;
  MemoryModel memory_;
  std::vector<int64_t> loadable_;
  RankPlan plan_;
  std::map<std::string, BoxSet> written_;
  std::vector<int64_t> group_written_;
  std::vector<bool> group_done_, group_received_;
  bool transport_owns_ = false;  // loaded tensors are views of its buffer, and nobody's extra memory unless they are copied
  std::string update_checkpoint_;
  std::vector<std::string> sent_, held_;  // by delivery: the checkpoint that it was sent from in this update, and that the model holds
  bool partial_ = false;
  std::set<int> gaps_;    // groups in which something is missing that the kernel tensors do not tell
  bool refused_ = false;  // in the step that is planned
};

}  // namespace

std::vector<Step> unroll(const std::vector<Step>& steps) {
  std::vector<Step> flat;
  unroll_into(steps, flat);
  const Step* update = nullptr;
  for (Step& step : flat) {
    if (step.kind == StepKind::reload || step.kind == StepKind::loads) update = &step;
    if (step.kind != StepKind::retry) continue;
    RELOADLAB_CHECK(update, "retry needs an update before it");
    step.plan = update->plan;
  }
  return flat;
}

PlanPolicies PlanPolicies::declared(const std::map<std::string, std::string>& policies) {
  auto is = [&](const char* key, std::string_view value) {
    auto found = policies.find(key);
    return found != policies.end() && found->second == value;
  };
  return {.backup = is("abort", "backup"),
          .rejects_excess = is("excess", "reject"),
          .rejects_missing = is("missing", "reject"),
          .rejects_unexpected = is("unexpected", "reject"),
          .rejects_gaps = is("unloaded", "preserve") && !is("shadow", "keep"),
          .shadow = is("shadow", "keep")};
}

RankPlan make_plan(const Catalogue& catalogue, const std::vector<Step>& steps, model::TensorParallel tp, const PlanPolicies& policies) {
  return Planner(catalogue, tp, policies).run(steps);
}

}  // namespace reloadlab::sim
