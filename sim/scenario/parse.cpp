#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "sim/scenario/bind_model.h"
#include "sim/scenario/bind_series.h"
#include "sim/scenario/bind_steps.h"
#include "sim/scenario/bind_world.h"
#include "sim/scenario/matrix.h"
#include "sim/scenario/scenario.h"
#include "sim/scenario/spelling.h"
#include "sim/scenario/structure.h"

namespace reloadlab::sim {
namespace {

// One file on its way to cases. Variants share most of their trees, so what was found about a subtree is kept by its address;
// the variants own the trees for as long as this lives.
class FileParser {
 public:
  FileParser(const std::string& file_name, const ParseOptions& options, Diagnostics& diagnostics)
      : file_(file_name), options_(options), diagnostics_(diagnostics) {}

  std::vector<Case> parse(const NodePtr& root) {
    if (root->kind != Node::Kind::map) {
      diagnostics_.error(root->at,
                         fmt::format("{}, expected a scenario: a map that begins with `reloadlab: {}`", describe(*root), schema_version));
      return {};
    }
    if (root->find("known") && !root->find("steps")) {
      diagnostics_.error(
          root->find("known")->at,
          "an expectation file, expected a scenario: expectations are read with theirs, from expectations/<system>/ beside it");
      return {};
    }
    if (good(*root, "world") && good(*root, "vary")) variants_ = expand_matrix(root, diagnostics_);
    if (variants_.empty()) variants_.push_back({.tree = root}), world_known_ = false;
    if (variants_.size() > 1 && root->find("variant"))
      diagnostics_.error(root->find("variant")->at, "variant together with lists that multiply, expected one case");
    std::vector<Case> cases;
    for (const Variant& variant : variants_) cases.push_back(bind(variant));
    return cases;
  }

 private:
  // Whether the value of a key of the file is absent or well formed; looks once at each value.
  bool good(const Node& root, std::string_view name) {
    const Node::Entry* entry = root.find(name);
    if (!entry) return true;
    auto [known, fresh] = checked_.try_emplace(entry->value.get(), false);
    if (fresh) known->second = check_value(*entry->value, row(name), diagnostics_);
    return known->second;
  }

  bool given(const Node& root, std::string_view name) { return root.find(name) && good(root, name); }

  const Key& row(std::string_view name) const {
    return *std::find_if(keys_.begin(), keys_.end(), [&](const Key& key) { return key.name == name; });
  }

  Case bind(const Variant& variant) {
    const Node& root = *variant.tree;
    check_keys(root, keys_, "the file", diagnostics_);
    for (const Key& key : keys_) good(root, key.name);
    Case result{.file = file_,
                .variant = variant.label,
                .world = variant.world,
                .ranks = variant.ranks,
                .allocator = variant.allocator,
                .seed = options_.seed,
                .delays = variant.delays};
    bind_head(result, root);
    bind_places(result, root);
    bind_world(result, root);
    const BoundModel* model = given(root, "model") ? &bound_model(*root.find("model")->value, result.parallel(0)) : nullptr;
    if (model) result.model = model->spec;
    if (given(root, "series")) needs_devices(result, root.find("series")->value->at);
    if (model && given(root, "series")) result.series = bind_series(*root.find("series")->value, result, diagnostics_);
    if (given(root, "timing")) bind_timing_of_series(result, root);
    if (result.models > 1 && !root.find("series"))
      diagnostics_.error(root.find("models")->at, "models without series, expected a model with series");
    if (given(root, "steps")) bind_what_happens(result, root, model);
    if (result.delays && given(root, "steps") && !result.order_counts())
      diagnostics_.error(Reader(*root.find("world")->value, "world").at("delays"),
                         "delays where no order counts, expected a model with series, or a step with source: stream");
    return result;
  }

  void bind_head(Case& result, const Node& root) {
    const Reader file(root, "scenario");
    for (auto [key, text] :
         {std::pair{"scenario", &result.scenario}, {"about", &result.about}, {"system", &result.system}, {"variant", &result.variant}})
      if (given(root, key)) *text = file.text(key);
    result.places = {file.at("scenario"), file.at("tags"), file.at("laws"), file.at("steps")};
    if (given(root, "models")) result.models = static_cast<int>(file.integer("models"));
    if (given(root, "seed")) result.seed = static_cast<uint64_t>(file.integer("seed"));
    if (good(root, "tags")) result.tags = file.texts("tags");
    if (good(root, "record")) result.record = unspell(record_spellings, file.text("record"));
    if (good(root, "laws")) result.laws = bind_laws(file);
  }

  void bind_world(Case& result, const Node& root) {
    if (root.find("series")) result.tensor_parallel = 1;  // each rank has its layers whole, and so they can be shared
    if (!given(root, "world")) return;
    const Reader world(*root.find("world")->value, "world");
    if (world.has("tensor_parallel")) result.tensor_parallel = static_cast<int>(world.integer("tensor_parallel"));
    result.sample = static_cast<int>(world.has("sample") ? world.integer("sample") : 0);
    bind_collectives(result, root, world);
    if (result.sample > 0 && root.find("series")) {
      diagnostics_.error(world.at("sample"), "sample with series, expected all ranks: they send each other what they own");
      result.sample = 0;
    }
    if (result.tensor_parallel == 0 || result.ranks % result.tensor_parallel == 0) return;
    diagnostics_.error(world.at("tensor_parallel"),
                       fmt::format("tensor_parallel: {} ranks are no whole groups of {}", result.ranks, result.tensor_parallel));
    result.tensor_parallel = 0;
  }

  void bind_collectives(Case& result, const Node& root, const Reader& world) {
    for (const char* key : {"collectives", "collectives_at_once"})
      if (world.has(key) && !root.find("series"))
        diagnostics_.error(world.at(key), fmt::format("{} without series, expected a model with series", key));
    result.collectives.order = unspell(collectives_spellings, world.text("collectives"));
    result.collectives.at_once = static_cast<int>(world.integer("collectives_at_once"));
  }

  // A world that is not known, for what is wrong with it, is none to complain about.
  void needs_devices(const Case& result, Position at) {
    if (world_known_ && result.world == WorldKind::cpu)
      diagnostics_.error(at, "series in the world cpu, which has no streams, expected sim, meta or cuda");
  }

  void bind_timing_of_series(Case& result, const Node& root) {
    const Node& timing = *root.find("timing")->value;
    if (!root.find("series")) return diagnostics_.error(timing.at, "timing without series, expected a model with series");
    if (result.series.empty()) return;
    result.timing = bind_timing(timing, result, diagnostics_);
  }

  void bind_places(Case& result, const Node& root) {
    const WorldContext context{.file = file_, .cache_dir = options_.cache_dir};
    if (given(root, "requires")) result.needs = bind_requires(*root.find("requires")->value);
    if (given(root, "checkpoints")) result.checkpoints = bind_checkpoints(*root.find("checkpoints")->value, context, diagnostics_);
    if (given(root, "expect")) result.expect = bind_expect(*root.find("expect")->value);
    if (given(root, "limits")) result.limits = bind_limits(*root.find("limits")->value);
  }

  void bind_what_happens(Case& result, const Node& root, const BoundModel* model) {
    // Names of checkpoints with errors of their own still count as given.
    std::vector<std::string> names;
    if (const Node::Entry* checkpoints = root.find("checkpoints"))
      for (const Node::Entry& entry : checkpoints->value->entries) names.push_back(entry.key);
    StepContext context{.names = model ? model->names.get() : nullptr,
                        .checkpoints = names,
                        .the_case = &result,
                        .world = world_known_ ? std::optional(result.world) : std::nullopt,
                        .series_given = root.find("series") != nullptr};
    if (given(root, "expect")) context.outcome = outcome_from(Reader(*root.find("expect")->value, "expect").text("outcome"));
    result.steps = bind_steps(*root.find("steps")->value, context, diagnostics_);
    if (result.series.empty() && (result.sample > 0 || result.parallel(0).replicas > 1)) refuse_forward(result.steps);
  }

  // A forward adds up what all ranks of one group give.
  void refuse_forward(const std::vector<Step>& steps) {
    for (const Step& step : steps) {
      if (step.kind == StepKind::forward)
        diagnostics_.error(step.at, "forward: needs all ranks in one tensor-parallel group, expected neither `sample` nor smaller groups");
      refuse_forward(step.body);
    }
  }

  std::vector<std::string> bind_laws(const Reader& file) {
    std::vector<std::string> laws;
    const Node* node = file.node("laws");
    if (!node || (node->kind == Node::Kind::scalar && node->text == "default")) return laws;
    if (node->kind == Node::Kind::list && node->items.empty())
      diagnostics_.error(node->at, "laws: an empty list, expected `default` or at least one law");
    const std::vector<NodePtr> items = node->kind == Node::Kind::list ? node->items : std::vector{std::make_shared<const Node>(*node)};
    for (const NodePtr& item : items) {
      if (std::find(options_.known_laws.begin(), options_.known_laws.end(), item->text) == options_.known_laws.end())
        diagnostics_.error(item->at, fmt::format("no law is called \"{}\"", item->text),
                           diagnostics_.suggest(item->text, options_.known_laws));
      if (std::find(laws.begin(), laws.end(), item->text) != laws.end())
        diagnostics_.error(item->at, fmt::format("laws: {} a second time, expected each law once", item->text));
      laws.push_back(item->text);
    }
    return laws;
  }

  const BoundModel& bound_model(const Node& node, model::TensorParallel tp) {
    auto [found, fresh] = models_.try_emplace(&node);
    if (fresh) found->second = bind_model(node, diagnostics_);
    if (found->second.names && splits_checked_.emplace(&node, tp.size, tp.replicas).second)
      check_split(found->second, tp, node.at, diagnostics_);
    layers_ += static_cast<int64_t>(found->second.spec.layers.size());
    if (layers_ > limits::layers_in_all_cases) {
      diagnostics_.error(node.at, fmt::format("more than {} layers in all cases together", limits::layers_in_all_cases));
      found->second.spec.layers.clear();  // so that the cases still to come cost nothing
    }
    return found->second;
  }

  const std::string& file_;
  const ParseOptions& options_;
  Diagnostics& diagnostics_;
  const std::vector<Key> keys_ = keys_of("scenario");
  std::vector<Variant> variants_;
  std::map<const Node*, bool> checked_;
  std::map<const Node*, BoundModel> models_;
  std::set<std::tuple<const Node*, int, int>> splits_checked_;
  int64_t layers_ = 0;
  bool world_known_ = true;
};

}  // namespace

Result<std::vector<Case>> parse_scenario(std::string_view text, const std::string& file_name, const ParseOptions& options) {
  Diagnostics diagnostics(file_name);
  std::vector<Case> cases;
  if (const NodePtr root = load_tree(text, diagnostics)) cases = FileParser(file_name, options, diagnostics).parse(root);
  if (!diagnostics.ok()) return diagnostics.status();
  return cases;
}

}  // namespace reloadlab::sim
