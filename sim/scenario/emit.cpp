// Writes a Case as a scenario file: what the schema's defaults say is left out, everything else stands there resolved.
#include <fmt/format.h>
#include <yaml-cpp/emitter.h>

#include <algorithm>

#include "reference/base/check.h"
#include "reference/model/architecture/architecture.h"
#include "reference/model/kind.h"
#include "sim/scenario/scenario.h"
#include "sim/scenario/schema.h"
#include "sim/scenario/spelling.h"

namespace reloadlab::sim {
namespace {

// Words that mean themselves in every YAML dialect go out bare; everything else in quotes.
bool is_bare(std::string_view word) {
  constexpr std::string_view reserved[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
  if (word.empty() || !std::isalpha(static_cast<unsigned char>(word[0]))) return false;
  if (std::find(std::begin(reserved), std::end(reserved), word) != std::end(reserved)) return false;
  return std::all_of(word.begin(), word.end(), [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '.' || c == '-'; });
}

class Writer {
 public:
  Writer() { out_.SetIndent(2); }

  // One case with everything resolved, or with `ranks` a scenario that multiplies over them.
  std::string write(const Case& one, const std::vector<int>& ranks) {
    begin();
    put("reloadlab", schema_version);
    put("scenario", one.scenario);
    put("about", one.about);
    put("system", one.system);
    if (!one.tags.empty()) put("tags", one.tags);
    write_needs(one.needs);
    put_flow("world", [&] { write_world(one, ranks); });
    key("model"), begin(), write_model(one.model), end();
    if (one.models > 1) put("models", one.models);
    if (!one.series.empty()) write_series(one.series);
    if (one.timing)
      put_flow("timing", [&] {
        put("broadcast", one.timing->broadcast), put("before", one.timing->before), put("after", one.timing->after),
            put("slow", one.timing->slow);
      });
    key("checkpoints"), begin();
    for (const auto& checkpoint : one.checkpoints) put_flow(checkpoint.first, [&] { write_checkpoint(checkpoint.second); });
    end();
    if (one.record != Record::after_construction) put("record", spell(record_spellings, one.record));
    key("steps"), write_steps(one.steps);
    if (!one.laws.empty()) put("laws", one.laws);
    if (ranks.empty()) write_resolved(one);
    end();
    RELOADLAB_CHECK(out_.good(), out_.GetLastError());
    return std::string(out_.c_str()) + "\n";
  }

 private:
  void begin() { out_ << YAML::BeginMap; }
  void end() { out_ << YAML::EndMap; }
  void key(std::string_view name) { out_ << YAML::Key, value(name), out_ << YAML::Value; }

  void value(std::string_view word) {
    if (!is_bare(word)) out_ << YAML::DoubleQuoted;
    out_ << std::string(word);
  }
  void value(const std::string& word) { value(std::string_view(word)); }
  void value(int64_t number) { out_ << fmt::format("{}", number); }
  void value(int number) { value(int64_t{number}); }
  void value(bool flag) { out_ << (flag ? "true" : "false"); }
  void value(double number) { out_ << fmt::format("{}", number); }
  template <class T>
  void value(const std::vector<T>& items) {
    out_ << YAML::Flow << YAML::BeginSeq;
    for (const T& item : items) value(item);
    out_ << YAML::EndSeq;
  }
  void value(const Value& any) {
    std::visit([&](const auto& held) { value(held); }, any);
  }

  template <class T>
  void put(std::string_view name, const T& content) {
    key(name), value(content);
  }
  template <class Fn>
  void put_flow(std::string_view name, Fn&& content) {
    key(name), out_ << YAML::Flow, begin(), content(), end();
  }

  void write_world(const Case& one, const std::vector<int>& ranks) {
    put("kind", world_name(one.world));
    if (ranks.empty()) {
      put("ranks", one.ranks);
    } else {
      put("ranks", ranks);
    }
    if (one.tensor_parallel > 0) put("tensor_parallel", one.tensor_parallel);
    if (one.sample > 0) put("sample", one.sample);
    const Collectives& how = one.collectives;
    if (how.order != Collectives::Order::nccl) put("collectives", spell(collectives_spellings, how.order));
    if (how.at_once > 0) put("collectives_at_once", how.at_once);
    if (one.allocator != GpuAllocator::environment) put("allocator", spell(allocator_spellings, one.allocator));
    if (one.delays) put("delays", static_cast<int64_t>(*one.delays));
  }

  void write_resolved(const Case& one) {
    put_flow("expect", [&] { put("completed", spell(completed_spellings, one.expect.completed)); });
    if (one.limits.extra_bytes) put_flow("limits", [&] { put("extra_bytes", *one.limits.extra_bytes); });
    put("seed", static_cast<int64_t>(one.seed));
    if (!one.variant.empty()) put("variant", one.variant);
  }

  void write_needs(const Requires& needs) {
    if (needs.gpus == 0 && needs.vram_gib == 0 && needs.capability == 0 && needs.features.empty()) return;
    put_flow("requires", [&] {
      if (needs.gpus) put("gpus", needs.gpus);
      if (needs.vram_gib) put("vram_gib", needs.vram_gib);
      if (needs.capability) put("compute_capability", spell(capability_spellings, needs.capability));
      if (!needs.features.empty()) put("feature", needs.features);
    });
  }

  void write_model(const model::ModelSpec& spec) {
    put("dtype", dtype_name(spec.dtype));
    if (!spec.flags.empty()) put("flags", names_on(spec.flags));
    if (const model::ArchitectureInfo* architecture = model::find_architecture(spec.architecture)) {
      put("architecture", spec.architecture);
      write_values(spec.values, architecture->keys);
      return;
    }
    key("layers"), out_ << YAML::BeginSeq;
    for (const model::LayerSpec& layer : spec.layers) out_ << YAML::Flow, begin(), write_layer(layer, spec.dtype), end();
    out_ << YAML::EndSeq;
  }

  static std::vector<std::string> names_on(const std::map<std::string, bool>& flags) {
    std::vector<std::string> names;
    for (const auto& [name, on] : flags)
      if (on) names.push_back(name);
    return names;
  }

  void write_layer(const model::LayerSpec& layer, DType usual) {
    put("name", layer.name);
    put("kind", layer.kind);
    if (layer.dtype != usual) put("dtype", dtype_name(layer.dtype));
    if (layer.quant != "none") put("quant", layer.quant);
    if (layer.tied_to) put("tied_to", *layer.tied_to);
    write_values(layer.values, model::find_layer_kind(layer.kind)->keys());
  }

  void write_values(const Values& values, std::span<const model::KeyInfo> keys) {
    for (const model::KeyInfo& info : keys) {
      auto found = values.find(info.name);
      if (found != values.end() && (info.required || found->second != info.fallback)) put(info.name, found->second);
    }
  }

  void write_series(const std::vector<SeriesSpec>& list) {
    key("series"), out_ << YAML::BeginSeq;
    for (const SeriesSpec& spec : list) {
      out_ << YAML::Flow, begin();
      put("name", spec.name), put("layers", spec.layers), put("prefetch", spec.prefetch), put("group", spec.group);
      spec.indices.empty() ? put("first", spec.first) : put("indices", spec.indices);
      if (!spec.ranks.empty()) put("ranks", spec.ranks);
      end();
    }
    out_ << YAML::EndSeq;
  }

  void write_pass(const Pass& pass) {
    for (const auto& [deviation, word] : deviation_spellings) {
      std::vector<std::string> layers;
      for (const Pass::At& each : pass.deviations)
        if (each.deviation == deviation) layers.push_back(each.layer);
      if (!layers.empty()) put(word, layers);
    }
    if (pass.stream != Pass::Stream::current) put("stream", spell(stream_spellings, pass.stream));
    if (!pass.ranks.empty()) put("ranks", pass.ranks);
    if (pass.lost) put_flow("lost", [&] { put("rank", pass.lost->rank), put("after", pass.lost->after); });
  }

  void write_graphs(const Graphs& graphs) {
    if (!graphs.sizes.empty()) put("sizes", graphs.sizes);
    if (graphs.shared_pool) put("shared_pool", graphs.shared_pool);
    if (graphs.mode != Graphs::Mode::thread_local_) put("mode", spell(mode_spellings, graphs.mode));
  }

  void write_checkpoint(const CheckpointSpec& spec) {
    switch (spec.source) {
      case CheckpointSpec::Source::synthetic:
        put("synthetic", static_cast<int64_t>(spec.seed));
        break;
      case CheckpointSpec::Source::safetensors:
        put("safetensors", spec.path);
        if (!spec.map.empty()) put("map", spec.map);
        break;
      case CheckpointSpec::Source::perturbed:
        put("perturb", spec.base);
        put("seed", static_cast<int64_t>(spec.seed));
        break;
    }
  }

  void write_steps(const std::vector<Step>& steps) {
    out_ << YAML::BeginSeq;
    for (const Step& step : steps) begin(), write_step(step), end();
    out_ << YAML::EndSeq;
  }

  void write_step(const Step& step) {
    key(spell(step_spellings, step.kind));
    if (step.kind == StepKind::update_owner) {
      value(step.plan.checkpoint);
    } else if (step.kind == StepKind::repeat) {
      begin(), put("times", step.times), key("steps"), write_steps(step.body), end();
    } else {
      out_ << YAML::Flow, begin();
      if (step.kind == StepKind::reload) put("to", step.plan.checkpoint), write_plan(step.plan);
      if (step.kind == StepKind::load || step.kind == StepKind::loads) put("from", step.plan.checkpoint), write_plan(step.plan);
      if (step.kind == StepKind::pass || step.kind == StepKind::capture) write_pass(step.pass);
      write_graphs(step.graphs);
      if (step.kind == StepKind::sleep) put("level", int64_t{step.level});
      if (step.via != Via::series) put("via", spell(via_spellings, step.via));
      if (step.in_place) put("in_place", step.in_place);
      end();
    }
    if (step.outcome != Step::Outcome::ok) put("outcome", spell(outcome_spellings, step.outcome));
    if (step.fault) put_flow("fault", [&] { put("at", spell(fault_spellings, step.fault->at)), put("nth", step.fault->nth); });
    if (step.default_dtype) put("default_dtype", dtype_name(*step.default_dtype));
    if (step.abort_after) put("abort_after", *step.abort_after);
  }

  void write_plan(const LoadPlan& plan) {
    if (plan.direct) put("direct", plan.direct);
    write_order(plan);
    if (plan.chunk) put("chunk", plan.chunk);
    if (!plan.reuses) put("reuses", plan.reuses);
    if (plan.source != LoadPlan::Source::local) put("source", spell(source_spellings, plan.source));
    if (plan.handle != LoadPlan::Handle::reused) put("handle", spell(handle_spellings, plan.handle));
    if (plan.batch) put("batch", plan.batch);
    if (plan.dtype) put("dtype", dtype_name(*plan.dtype));
    if (plan.layout != LoadPlan::Layout::dense) put("layout", spell(layout_spellings, plan.layout));
    if (!plan.repeat.empty()) put("repeat", repeats(plan));
    for (auto [name, list] : {std::pair{"only", &plan.only}, {"omit", &plan.omit}, {"excess", &plan.excess}, {"unknown", &plan.unknown}})
      if (!list->empty()) put(name, *list);
    if (!plan.wrong.empty()) write_wrong(plan.wrong);
    if (plan.resolve != LoadPlan::Resolve::loads_begin) put("resolve", spell(resolve_spellings, plan.resolve));
  }

  void write_order(const LoadPlan& plan) {
    if (plan.order == OrderKind::listed) return;
    if (plan.order == OrderKind::shuffled) {
      put_flow("order", [&] { put("shuffle", static_cast<int64_t>(plan.order_seed)); });
    } else if (plan.order == OrderKind::explicit_list) {
      put("order", plan.order_list);
    } else {
      put("order", spell(order_spellings, plan.order));
    }
  }

  static std::vector<std::string> repeats(const LoadPlan& plan) {
    std::vector<std::string> words;
    for (const LoadPlan::Repeat& repeat : plan.repeat) words.push_back(fmt::format("{} x{}", repeat.tensor, repeat.times));
    return words;
  }

  void write_wrong(const std::vector<LoadPlan::Wrong>& list) {
    key("wrong"), out_ << YAML::Flow << YAML::BeginSeq;
    for (const LoadPlan::Wrong& wrong : list) {
      begin(), put("tensor", wrong.tensor);
      if (wrong.shape) put("shape", *wrong.shape);
      if (wrong.dtype) put("dtype", dtype_name(*wrong.dtype));
      end();
    }
    out_ << YAML::EndSeq;
  }

  YAML::Emitter out_;
};

}  // namespace

std::string emit(const Case& the_case) { return Writer().write(the_case, {}); }

std::string emit_over_ranks(const Case& the_case, const std::vector<int>& ranks) { return Writer().write(the_case, ranks); }

Case alone(Case the_case) {
  constexpr size_t longest = 200;  // leaves room for a file's ending, and for a number where two come to the same
  if (the_case.variant.empty()) return the_case;
  std::string& name = the_case.scenario;
  name += '.';
  for (const unsigned char c : the_case.variant) {
    if (std::isalnum(c) || c == '.' || c == '_')
      name += static_cast<char>(std::tolower(c));
    else if (name.back() != '-')
      name += '-';
  }
  name.resize(std::min(name.size(), longest));
  while (name.back() == '-' || name.back() == '.') name.pop_back();
  the_case.variant.clear();
  return the_case;
}

}  // namespace reloadlab::sim
