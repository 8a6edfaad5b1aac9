#pragma once
// The fields of everything that stored evidence holds, each struct once. Keys are the format (kEvidenceVersion, store.h): renaming a
// member must not rename its key.
#include "sim/evidence/evidence.h"

namespace reloadlab::sim::archive {

// --- the case ---

template <class V>
void describe(V&& visit, const model::LayerSpec*) {
  using S = model::LayerSpec;
  visit("name", &S::name), visit("kind", &S::kind), visit("dtype", &S::dtype), visit("quant", &S::quant);
  visit("tied_to", &S::tied_to), visit("values", &S::values);
}
template <class V>
void describe(V&& visit, const model::ModelSpec*) {
  using S = model::ModelSpec;
  visit("dtype", &S::dtype), visit("flags", &S::flags), visit("architecture", &S::architecture), visit("values", &S::values);
  visit("layers", &S::layers);
}
template <class V>
void describe(V&& visit, const Position*) {
  visit("line", &Position::line), visit("column", &Position::column);
}
template <class V>
void describe(V&& visit, const CheckpointSpec*) {
  using S = CheckpointSpec;
  visit("source", &S::source), visit("seed", &S::seed), visit("path", &S::path), visit("map", &S::map), visit("base", &S::base);
  visit("at", &S::at);
}
template <class V>
void describe(V&& visit, const LoadPlan::Repeat*) {
  using S = LoadPlan::Repeat;
  visit("tensor", &S::tensor), visit("times", &S::times);
}
template <class V>
void describe(V&& visit, const LoadPlan::Wrong*) {
  using S = LoadPlan::Wrong;
  visit("tensor", &S::tensor), visit("shape", &S::shape), visit("dtype", &S::dtype);
}
template <class V>
void describe(V&& visit, const LoadPlan*) {
  using S = LoadPlan;
  visit("checkpoint", &S::checkpoint), visit("order", &S::order), visit("order_seed", &S::order_seed);
  visit("order_list", &S::order_list), visit("chunk", &S::chunk), visit("reuses", &S::reuses), visit("source", &S::source),
      visit("handle", &S::handle), visit("direct", &S::direct), visit("dtype", &S::dtype), visit("layout", &S::layout),
      visit("batch", &S::batch), visit("repeat", &S::repeat), visit("only", &S::only);
  visit("omit", &S::omit), visit("excess", &S::excess), visit("unknown", &S::unknown), visit("wrong", &S::wrong);
  visit("resolve", &S::resolve);
}
template <class V>
void describe(V&& visit, const Fault*) {
  visit("at", &Fault::at), visit("nth", &Fault::nth);
}
template <class V>
void describe(V&& visit, const SeriesSpec*) {
  using S = SeriesSpec;
  visit("name", &S::name), visit("layers", &S::layers), visit("first", &S::first), visit("indices", &S::indices);
  visit("prefetch", &S::prefetch);
  visit("group", &S::group), visit("ranks", &S::ranks);
}
template <class V>
void describe(V&& visit, const Timing*) {
  visit("broadcast", &Timing::broadcast), visit("before", &Timing::before), visit("after", &Timing::after);
  visit("slow", &Timing::slow);
}
template <class V>
void describe(V&& visit, const Pass::At*) {
  visit("deviation", &Pass::At::deviation), visit("layer", &Pass::At::layer);
}
template <class V>
void describe(V&& visit, const Pass::Lost*) {
  visit("rank", &Pass::Lost::rank), visit("after", &Pass::Lost::after);
}
template <class V>
void describe(V&& visit, const Pass*) {
  visit("deviations", &Pass::deviations), visit("stream", &Pass::stream), visit("ranks", &Pass::ranks), visit("lost", &Pass::lost);
}
template <class V>
void describe(V&& visit, const Graphs*) {
  visit("sizes", &Graphs::sizes), visit("shared_pool", &Graphs::shared_pool), visit("mode", &Graphs::mode);
}
template <class V>
void describe(V&& visit, const Step*) {
  visit("kind", &Step::kind), visit("at", &Step::at), visit("plan", &Step::plan), visit("fault", &Step::fault);
  visit("abort_after", &Step::abort_after), visit("default_dtype", &Step::default_dtype), visit("outcome", &Step::outcome),
      visit("times", &Step::times), visit("body", &Step::body), visit("pass", &Step::pass), visit("graphs", &Step::graphs),
      visit("level", &Step::level), visit("via", &Step::via), visit("in_place", &Step::in_place);
}
template <class V>
void describe(V&& visit, const Expect*) {
  visit("completed", &Expect::completed);
}
template <class V>
void describe(V&& visit, const Limits*) {
  visit("extra_bytes", &Limits::extra_bytes);
}
template <class V>
void describe(V&& visit, const Collectives*) {
  visit("order", &Collectives::order), visit("at_once", &Collectives::at_once);
}
template <class V>
void describe(V&& visit, const Case*) {
  visit("scenario", &Case::scenario), visit("file", &Case::file), visit("variant", &Case::variant), visit("about", &Case::about);
  visit("system", &Case::system), visit("tags", &Case::tags), visit("world", &Case::world), visit("ranks", &Case::ranks);
  visit("tensor_parallel", &Case::tensor_parallel), visit("sample", &Case::sample);
  visit("model", &Case::model), visit("models", &Case::models), visit("series", &Case::series), visit("collectives", &Case::collectives),
      visit("allocator", &Case::allocator), visit("timing", &Case::timing), visit("checkpoints", &Case::checkpoints),
      visit("record", &Case::record), visit("steps", &Case::steps), visit("laws", &Case::laws);
  visit("expect", &Case::expect), visit("limits", &Case::limits), visit("seed", &Case::seed), visit("delays", &Case::delays);
}

// --- what was seen ---

template <class V>
void describe(V&& visit, const CensusEntry*) {
  using S = CensusEntry;
  visit("path", &S::path), visit("layer", &S::layer), visit("kind", &S::kind), visit("persistent", &S::persistent);
  visit("on_meta", &S::on_meta), visit("handle", &S::handle), visit("storage", &S::storage), visit("offset", &S::offset);
  visit("shape", &S::shape), visit("strides", &S::strides), visit("dtype", &S::dtype), visit("class", &S::tensor_class);
  visit("loader", &S::loader), visit("attributes", &S::attributes), visit("content", &S::content), visit("host", &S::host);
}
template <class V>
void describe(V&& visit, const Recomputed*) {
  using S = Recomputed;
  visit("path", &S::path), visit("sources", &S::sources), visit("content", &S::content), visit("host", &S::host);
}
template <class V>
void describe(V&& visit, const Census*) {
  using S = Census;
  visit("step", &S::step), visit("entries", &S::entries), visit("derived", &S::derived), visit("flags", &S::flags);
}
template <class V>
void describe(V&& visit, const Event*) {
  visit("kind", &Event::kind), visit("step", &Event::step), visit("load", &Event::load), visit("layer", &Event::layer);
  visit("numel", &Event::numel), visit("value", &Event::value), visit("text", &Event::text);
}
template <class V>
void describe(V&& visit, const StepOutcome*) {
  using S = StepOutcome;
  visit("step", &S::step), visit("status", &S::status), visit("load_statuses", &S::load_statuses),
      visit("load_operators", &S::load_operators), visit("crashed", &S::crashed);
  visit("touched_asleep", &S::touched_asleep);
  visit("unusable", &S::unusable), visit("extra_bytes_peak", &S::extra_bytes_peak), visit("extra_bytes_after", &S::extra_bytes_after);
  visit("peak_bytes", &S::peak_bytes), visit("copies", &S::copies), visit("copied_bytes", &S::copied_bytes);
  visit("live_layers", &S::live_layers), visit("live_parameters", &S::live_parameters);
  visit("live_allocations", &S::live_allocations), visit("live_bytes", &S::live_bytes), visit("output", &S::output);
}
template <class V>
void describe(V&& visit, const CoverageReport*) {
  using S = CoverageReport;
  visit("kind", &S::kind), visit("step", &S::step), visit("layer", &S::layer), visit("slot", &S::slot);
}
template <class V>
void describe(V&& visit, const RankRun::Entry*) {
  using S = RankRun::Entry;
  visit("step", &S::step), visit("path", &S::path), visit("shape", &S::shape), visit("dtype", &S::dtype), visit("content", &S::content);
}
template <class V>
void describe(V&& visit, const RankRun::Read*) {
  using S = RankRun::Read;
  visit("step", &S::step), visit("layer", &S::layer), visit("slot", &S::slot), visit("storage", &S::storage);
  visit("offset", &S::offset), visit("shape", &S::shape), visit("dtype", &S::dtype), visit("content", &S::content);
  visit("stream", &S::stream);
}
template <class V>
void describe(V&& visit, const RankRun::Access*) {
  using S = RankRun::Access;
  visit("stream", &S::stream), visit("operation", &S::operation), visit("about", &S::about), visit("step", &S::step);
  visit("writes", &S::writes);
}
template <class V>
void describe(V&& visit, const RankRun::Race*) {
  visit("first", &RankRun::Race::first), visit("second", &RankRun::Race::second), visit("witness", &RankRun::Race::witness);
  visit("schedule", &RankRun::Race::schedule), visit("number", &RankRun::Race::number);
  visit("turned", &RankRun::Race::turned), visit("reader", &RankRun::Race::reader);
}
template <class V>
void describe(V&& visit, const RankRun::Pace*) {
  visit("step", &RankRun::Pace::step), visit("begin", &RankRun::Pace::begin), visit("end", &RankRun::Pace::end);
  visit("waited", &RankRun::Pace::waited);
}
template <class V>
void describe(V&& visit, const RankRun::GraphRead*) {
  using S = RankRun::GraphRead;
  visit("step", &S::step), visit("size", &S::size), visit("path", &S::path), visit("checksum", &S::checksum);
  visit("output", &S::output);
}
template <class V>
void describe(V&& visit, const StreamStep*) {
  using S = StreamStep;
  visit("rank", &S::rank), visit("stream", &S::stream), visit("operation", &S::operation), visit("about", &S::about);
  visit("step", &S::step), visit("model", &S::model), visit("start", &S::start), visit("end", &S::end);
  visit("point", &S::point);
}
template <class V>
void describe(V&& visit, const RankRun*) {
  using S = RankRun;
  visit("events", &S::events), visit("censuses", &S::censuses), visit("outcomes", &S::outcomes), visit("coverage", &S::coverage);
  visit("at_post_load", &S::at_post_load), visit("reads", &S::reads), visit("races", &S::races);
  visit("unseen", &S::unseen), visit("paces", &S::paces), visit("graph_reads", &S::graph_reads);
}
template <class V>
void describe(V&& visit, const Variation*) {
  using S = Variation;
  visit("kind", &S::kind), visit("name", &S::name), visit("index", &S::index), visit("fault", &S::fault);
}
template <class V>
void describe(V&& visit, const Execution*) {
  visit("variation", &Execution::variation), visit("steps", &Execution::steps), visit("ranks", &Execution::ranks);
  visit("stopped", &Execution::stopped), visit("waits", &Execution::waits), visit("timeline", &Execution::timeline);
  visit("stopped_in", &Execution::stopped_in);
}

// --- what was expected ---

template <class V>
void describe(V&& visit, const model::Delivery*) {
  using S = model::Delivery;
  visit("name", &S::name), visit("shape", &S::shape), visit("dtype", &S::dtype), visit("layer", &S::layer), visit("slot", &S::slot);
  visit("shard", &S::shard), visit("expert", &S::expert), visit("part", &S::part);
}
template <class V>
void describe(V&& visit, const model::Placement*) {
  using S = model::Placement;
  visit("source", &S::source_start), visit("target", &S::target_start), visit("extent", &S::extent);
}
template <class V>
void describe(V&& visit, const PlannedLoad*) {
  using S = PlannedLoad;
  visit("step", &S::step), visit("index", &S::index), visit("delivery", &S::delivery), visit("layer", &S::layer);
  visit("slot", &S::slot), visit("placements", &S::placements), visit("bytes", &S::bytes), visit("fresh", &S::fresh);
  visit("excess", &S::excess), visit("wrong", &S::wrong), visit("completes", &S::completes);
}
template <class V>
void describe(V&& visit, const RankPlan::LayerTotal*) {
  visit("layer", &RankPlan::LayerTotal::layer), visit("loadable", &RankPlan::LayerTotal::loadable);
}
template <class V>
void describe(V&& visit, const RankPlan::Missing*) {
  using S = RankPlan::Missing;
  visit("step", &S::step), visit("layer", &S::layer), visit("slot", &S::slot), visit("elements", &S::elements);
}
template <class V>
void describe(V&& visit, const RankPlan::Peak*) {
  visit("step", &RankPlan::Peak::step), visit("extra_bytes", &RankPlan::Peak::extra_bytes), visit("load", &RankPlan::Peak::load);
  visit("extra_bytes_failed", &RankPlan::Peak::extra_bytes_failed);
}
template <class V>
void describe(V&& visit, const RankPlan::State*) {
  using S = RankPlan::State;
  visit("step", &S::step), visit("checkpoint", &S::checkpoint), visit("partial", &S::partial);
  visit("incomplete", &S::incomplete);
}
template <class V>
void describe(V&& visit, const RankPlan::Refusal*) {
  visit("step", &RankPlan::Refusal::step), visit("load", &RankPlan::Refusal::load);
}
template <class V>
void describe(V&& visit, const RankPlan::Mixture*) {
  visit("name", &RankPlan::Mixture::name), visit("from", &RankPlan::Mixture::from);
}
template <class V>
void describe(V&& visit, const RankPlan*) {
  using S = RankPlan;
  visit("loads", &S::loads), visit("totals", &S::totals), visit("missing", &S::missing), visit("peaks", &S::peaks);
  visit("states", &S::states), visit("refusals", &S::refusals), visit("mixtures", &S::mixtures);
  visit("order_matters", &S::order_matters);
}
template <class V>
void describe(V&& visit, const RankClass*) {
  visit("members", &RankClass::members), visit("played", &RankClass::played);
}
template <class V>
void describe(V&& visit, const Evidence*) {
  using S = Evidence;
  visit("case", &S::the_case), visit("candidate", &S::candidate), visit("declared", &S::declared), visit("layers", &S::layers);
  visit("deliveries", &S::deliveries), visit("transforms", &S::transforms), visit("classes", &S::classes), visit("numbers", &S::numbers),
      visit("plan", &S::plan), visit("executions", &S::executions);
}

}  // namespace reloadlab::sim::archive
