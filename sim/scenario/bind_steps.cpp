#include "sim/scenario/bind_steps.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/scenario/bind_delivery.h"
#include "sim/scenario/bind_graphs.h"
#include "sim/scenario/bind_series.h"
#include "sim/scenario/bind_sleep.h"
#include "sim/scenario/spelling.h"
#include "sim/scenario/structure.h"

namespace reloadlab::sim {
namespace {

bool takes_fault(StepKind kind) {
  return kind == StepKind::load || kind == StepKind::reload || kind == StepKind::prepare || kind == StepKind::loads ||
         kind == StepKind::finish;
}

bool is_of_series(StepKind kind) {
  switch (kind) {
    case StepKind::pass:
    case StepKind::update_owner:
    case StepKind::drain:
    case StepKind::reset:
    case StepKind::host_sync:
      return true;
    default:
      return false;
  }
}

bool is_of_sleep(StepKind kind) { return kind == StepKind::sleep || kind == StepKind::wake; }
bool needs_graphs(StepKind kind) { return kind == StepKind::capture || kind == StepKind::replay; }

// What a case with series may do beside the steps that are about them.
bool goes_with_series(StepKind kind) {
  return is_of_series(kind) || needs_graphs(kind) || is_of_sleep(kind) || kind == StepKind::load || kind == StepKind::reload ||
         kind == StepKind::repeat || kind == StepKind::destroy;
}

class StepBinder {
 public:
  StepBinder(const StepContext& context, Diagnostics& diagnostics)
      : context_(context), diagnostics_(diagnostics), graphs_(context.world, diagnostics), sleep_(context.world, diagnostics) {}

  std::vector<Step> bind_all(const Node& list) {
    std::vector<Step> steps = bind(list);
    if (sleep_.asleep() && !destroyed_) diagnostics_.error(list.at, "a model that is left asleep, expected wake or destroy at the end");
    if (unrolled_ > limits::steps_unrolled)
      diagnostics_.error(list.at, fmt::format("more than {} steps once repetitions are unrolled", limits::steps_unrolled));
    return steps;
  }

 private:
  std::vector<Step> bind(const Node& list) {
    std::vector<Step> steps;
    if (list.items.empty()) diagnostics_.error(list.at, "steps: an empty list, expected at least one step");
    for (const NodePtr& item : list.items) {
      if (destroyed_) diagnostics_.error(item->at, "a step after destroy, expected none: the model is gone");
      steps.push_back(bind_step(*item));
    }
    return steps;
  }

  Step bind_step(const Node& node) {
    const Reader reader(node, "step");
    Step step;
    for (const auto& [kind, word] : step_spellings)
      if (reader.has(word)) step.kind = kind;
    step.at = node.at;
    unrolled_ += factor_;
    if (is_of_series(step.kind) && !has_series())
      diagnostics_.error(node.at, fmt::format("{} without series, expected a model with series", spell(step_spellings, step.kind)));
    if (has_series() && !goes_with_series(step.kind))
      diagnostics_.error(node.at, fmt::format("{} with series, expected load, reload, repeat, destroy or a step that is about series",
                                              spell(step_spellings, step.kind)));
    step.outcome = reader.has("outcome") ? outcome_from(reader.text("outcome")) : context_.outcome;
    if (reader.has("default_dtype")) step.default_dtype = dtype_from_name(reader.text("default_dtype"));
    bind_own(step, *reader.node(spell(step_spellings, step.kind)));
    bind_fault(step, reader);
    bind_abort(step, reader);
    sleep_.follow(step, has_series());
    return step;
  }

  void bind_own(Step& step, const Node& own) {
    switch (step.kind) {
      case StepKind::load:
        if (loaded_ || factor_ > 1) diagnostics_.error(own.at, "a second load, expected one: a model is loaded once, then reloaded");
        loaded_ = true;
        [[fallthrough]];
      case StepKind::loads:
        step.plan = bind_delivery(own, "load", context_, diagnostics_);
        if (step.plan.direct && step.kind != StepKind::load)
          diagnostics_.error(Reader(own, "load").at("direct"), "direct in loads, expected it in load: an update comes through loaders");
        if (step.plan.direct && has_series())
          diagnostics_.error(Reader(own, "load").at("direct"), "direct with series, expected a load through loaders: they hold no places");
        break;
      case StepKind::reload:
        step.plan = bind_delivery(own, "reload", context_, diagnostics_);
        bind_way(step, own);
        break;
      case StepKind::pass:
        if (series_bound()) step.pass = bind_pass(own, *context_.the_case, diagnostics_);
        break;
      case StepKind::capture:
        captured_ = true;
        bind_capture(step, own);
        break;
      case StepKind::update_owner:
        step.plan = bind_delivery(own, "load", context_, diagnostics_);
        break;
      case StepKind::replay:
        if (!captured_) diagnostics_.error(own.at, "replay without an earlier capture, expected a graph to replay");
        has_series() ? graphs_.refuse_sizes(own) : void(step.graphs = graphs_.replay(own));
        break;
      case StepKind::sleep:
        step.level = static_cast<int>(Reader(own, "sleep").integer("level"));
        if (series_bound() && context_.the_case->models > 1)
          diagnostics_.error(own.at, "sleep of several models, expected one: a rank's memory sleeps as a whole");
        break;
      case StepKind::repeat:
        bind_repeat(step, own);
        break;
      case StepKind::destroy:
        destroyed_ = true;
        break;
      case StepKind::retry:
        if (!updated_) diagnostics_.error(own.at, "retry without an earlier reload or loads, expected an update to repeat");
        break;
      default:
        break;
    }
    updated_ = updated_ || step.kind == StepKind::reload || step.kind == StepKind::loads;
  }

  void bind_capture(Step& step, const Node& own) {
    if (!has_series()) return void(step.graphs = graphs_.capture(own));
    graphs_.refuse_sizes(own);
    if (series_bound()) step.pass = bind_pass(own, *context_.the_case, diagnostics_);
    if (const Node::Entry* sync = own.find("sync"))
      diagnostics_.error(sync->value->at, "sync in capture, expected it in pass: a host cannot wait for what is captured");
  }

  bool has_series() const { return context_.series_given || series_bound(); }
  bool series_bound() const { return context_.the_case && !context_.the_case->series.empty(); }

  // How a reload reaches a model with series: their own way brings their layers.
  void bind_way(Step& step, const Node& own) {
    const bool map = own.kind == Node::Kind::map;
    const Reader reader(own, "reload");
    for (std::string_view key : {"via", "in_place"})
      if (map && reader.has(key) && !has_series())
        diagnostics_.error(reader.at(key), fmt::format("{} without series, expected a model with series", key));
    if (!has_series()) return;
    if (map) step.via = unspell(via_spellings, reader.text("via"));
    if (map) step.in_place = std::get<bool>(reader.value("in_place"));
    if (step.in_place && step.via != Via::series)
      diagnostics_.error(reader.at("in_place"), "in_place with via: layerwise, expected it with via: series");
    if (step.in_place) return refuse_delivery(own);
    if (step.via != Via::series || !step.plan.only.empty() || !context_.names || !series_bound()) return;
    for (const model::Delivery& delivery : context_.names->deliveries())
      if (context_.the_case->series_of(delivery.layer) && !std::ranges::count(step.plan.omit, delivery.name))
        step.plan.only.push_back(delivery.name);
    if (step.plan.only.empty()) diagnostics_.error(own.at, "nothing of a series is left to deliver, expected at least one tensor");
  }

  // Nothing is delivered: owners' weights are overwritten where they lie.
  void refuse_delivery(const Node& own) {
    for (const Node::Entry& each : own.entries)
      if (each.key != "to" && each.key != "via" && each.key != "in_place")
        diagnostics_.error(each.at,
                           fmt::format("{} in a reload in place, expected nothing about deliveries: no loader is called", each.key));
  }

  void bind_repeat(Step& step, const Node& own) {
    const Reader reader(own, "repeat");
    step.times = reader.integer("times");
    const int64_t outer = factor_;
    factor_ = std::min(factor_ * step.times, limits::steps_unrolled + 1);  // saturates: a product of many levels cannot overflow
    const bool slept = sleep_.asleep();
    step.body = bind(*reader.node("steps"));
    if (sleep_.asleep() != slept)
      diagnostics_.error(own.at, "a repetition that falls asleep or wakes, expected one that ends as it began: it comes again");
    factor_ = outer;
  }

  void bind_fault(Step& step, const Reader& reader) {
    const Node* node = reader.node("fault");
    if (!node) return;
    const Reader fault(*node, "fault");
    step.fault = Fault{.at = unspell(fault_spellings, fault.text("at")), .nth = fault.integer("nth")};
    if (!takes_fault(step.kind))
      diagnostics_.error(
          node->at, fmt::format("a fault in {}, expected it in load, reload, prepare, loads or finish", spell(step_spellings, step.kind)));
  }

  void bind_abort(Step& step, const Reader& reader) {
    if (!reader.has("abort_after")) return;
    step.abort_after = reader.integer("abort_after");
    if (step.kind == StepKind::reload || step.kind == StepKind::loads) return must_be_reached(*step.abort_after, step.plan, reader);
    diagnostics_.error(reader.at("abort_after"),
                       fmt::format("abort_after in {}, expected it in reload or loads", spell(step_spellings, step.kind)));
  }

  void must_be_reached(int64_t abort_after, const LoadPlan& plan, const Reader& reader) {
    const int64_t calls = context_.names ? load_calls(plan, *context_.names) : abort_after;
    if (abort_after > calls)
      diagnostics_.error(reader.at("abort_after"),
                         fmt::format("abort_after: {}, expected at most {}: so many loads the step makes", abort_after, calls));
  }

  const StepContext& context_;
  Diagnostics& diagnostics_;
  GraphBinder graphs_;
  SleepBinder sleep_;
  int64_t factor_ = 1;  // how often the list being bound runs
  int64_t unrolled_ = 0;
  bool loaded_ = false;
  bool updated_ = false;
  bool captured_ = false;
  bool destroyed_ = false;
};

}  // namespace

std::vector<Step> bind_steps(const Node& steps, const StepContext& context, Diagnostics& diagnostics) {
  return StepBinder(context, diagnostics).bind_all(steps);
}

Step::Outcome outcome_from(std::string_view word) { return unspell(outcome_spellings, word); }

}  // namespace reloadlab::sim
