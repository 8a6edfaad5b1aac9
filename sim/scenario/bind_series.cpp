#include "sim/scenario/bind_series.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "sim/scenario/ranges.h"
#include "sim/scenario/schema.h"
#include "sim/scenario/spelling.h"
#include "sim/scenario/structure.h"

namespace reloadlab::sim {
namespace {

std::vector<std::string> paths_of(const model::ModelSpec& model) {
  std::vector<std::string> paths;
  for (const model::LayerSpec& layer : model.layers) paths.push_back(layer.name);
  return paths;
}

// Layers that the patterns stand for, in the patterns' order.
std::vector<std::string> resolve_layers(const Node& node, const std::vector<std::string>& known, std::string_view whose,
                                        Diagnostics& diagnostics) {
  std::vector<std::string> layers;
  for (const std::string& pattern : texts_of(node)) {
    const auto expanded = expand_ranges(pattern, static_cast<size_t>(limits::layers));
    if (!expanded) diagnostics.error(node.at, fmt::format("\"{}\": a range that is not {{first..last}}, or makes too many names", pattern));
    for (const Expanded& one : expanded.value_or(std::vector<Expanded>())) {
      const size_t before = layers.size();
      std::ranges::copy_if(known, std::back_inserter(layers), [&](const auto& name) { return glob_match(one.name, name); });
      if (layers.size() == before)
        diagnostics.error(node.at, fmt::format("\"{}\" is no layer of the {}", one.name, whose), diagnostics.suggest(one.name, known));
    }
  }
  return layers;
}

std::vector<int64_t> bind_ranks(const Reader& reader, const Case& the_case, Diagnostics& diagnostics) {
  if (!reader.has("ranks")) return {};
  std::vector<int64_t> ranks = integers_of(*reader.node("ranks"));
  const bool ascending = std::ranges::adjacent_find(ranks, std::ranges::greater_equal()) == ranks.end();
  if (ranks.empty() || !ascending || ranks.back() >= the_case.ranks)
    diagnostics.error(reader.at("ranks"), fmt::format("ranks: expected ascending numbers below {}, at least one", the_case.ranks));
  return ranks;
}

class SeriesBinder {
 public:
  SeriesBinder(const Case& the_case, Diagnostics& diagnostics)
      : case_(the_case), known_(paths_of(the_case.model)), diagnostics_(diagnostics) {}

  void bind(const Node& node) {
    const Reader reader(node, "series");
    SeriesSpec spec{.name = reader.text("name"),
                    .layers = resolve_layers(*reader.node("layers"), known_, "model", diagnostics_),
                    .first = reader.integer("first"),
                    .indices = reader.has("indices") ? integers_of(*reader.node("indices")) : std::vector<int64_t>(),
                    .prefetch = reader.integer("prefetch"),
                    .group = reader.text("group"),
                    .ranks = bind_ranks(reader, case_, diagnostics_)};
    if (texts_of(*reader.node("layers")).empty()) diagnostics_.error(reader.at("layers"), "a series without layers, expected one at least");
    if (!names_.insert(spec.name).second)
      diagnostics_.error(reader.at("name"), fmt::format("series {} a second time, expected each name once", spec.name));
    for (const std::string& layer : spec.layers)
      if (!taken_.insert(layer).second)
        diagnostics_.error(reader.at("layers"), fmt::format("layer {} a second time, expected each layer in one series, once", layer));
    check_indices(reader, spec);
    for (const SeriesSpec& other : all_)
      if (other.group == spec.group && other.ranks != spec.ranks)
        diagnostics_.error(node.at, fmt::format("group {} with other ranks than for series {}", spec.group, other.name));
    all_.push_back(std::move(spec));
  }
  std::vector<SeriesSpec> take() { return std::move(all_); }

 private:
  void check_indices(const Reader& reader, const SeriesSpec& spec) {
    if (!reader.has("indices")) return;
    const std::vector<int64_t>& indices = spec.indices;
    if (reader.has("first")) diagnostics_.error(reader.at("indices"), "`first` and `indices`, expected one of them");
    if (indices.size() != spec.layers.size())
      diagnostics_.error(reader.at("indices"),
                         fmt::format("{} indices, expected {}: one for each layer", indices.size(), spec.layers.size()));
    if (std::ranges::adjacent_find(indices, std::ranges::greater_equal()) != indices.end())
      diagnostics_.error(reader.at("indices"), "indices that do not ascend");
  }

  const Case& case_;
  std::vector<std::string> known_;
  Diagnostics& diagnostics_;
  std::set<std::string> names_, taken_;
  std::vector<SeriesSpec> all_;
};

}  // namespace

std::vector<SeriesSpec> bind_series(const Node& list, const Case& the_case, Diagnostics& diagnostics) {
  if (the_case.world == WorldKind::cpu)
    diagnostics.error(list.at, "series in the world cpu, which has no streams, expected sim, meta or cuda");
  SeriesBinder binder(the_case, diagnostics);
  for (const NodePtr& item : list.items) binder.bind(*item);
  return binder.take();
}

Timing bind_timing(const Node& node, const Case& the_case, Diagnostics& diagnostics) {
  const Reader reader(node, "timing");
  const size_t layers = the_case.shared_layers().size();
  const auto times = [&](std::string_view key, size_t of_them, std::string_view what) {
    if (!reader.has(key)) return std::vector<int64_t>{0};
    std::vector<int64_t> list = integers_of(*reader.node(key));
    if (list.size() != 1 && list.size() != of_them)
      diagnostics.error(reader.at(key),
                        fmt::format("{}: {} numbers, expected 1 or {}: one for each of the {}", key, list.size(), of_them, what));
    return list.empty() ? std::vector<int64_t>{0} : list;
  };
  return {.broadcast = reader.integer("broadcast"),
          .before = times("before", layers, "layers of series"),
          .after = times("after", layers, "layers of series"),
          .slow = times("slow", static_cast<size_t>(the_case.ranks), "ranks")};
}

Pass bind_pass(const Node& node, const Case& the_case, Diagnostics& diagnostics) {
  const Reader reader(node, "pass");
  std::vector<std::string> known;
  for (const SeriesSpec& each : the_case.series) known.insert(known.end(), each.layers.begin(), each.layers.end());
  Pass pass{.stream = unspell(stream_spellings, reader.text("stream")), .ranks = bind_ranks(reader, the_case, diagnostics)};
  for (const auto& [deviation, word] : deviation_spellings) {
    if (!reader.has(word)) continue;
    for (std::string& layer : resolve_layers(*reader.node(word), known, "series", diagnostics))
      pass.deviations.push_back({deviation, std::move(layer)});
  }
  if (const Node* lost = reader.node("lost")) {
    const Reader who(*lost, "lost");
    const std::vector<std::string> after = resolve_layers(*who.node("after"), known, "series", diagnostics);
    pass.lost = Pass::Lost{.rank = who.integer("rank"), .after = after.empty() ? "" : after.front()};
    if (pass.lost->rank >= the_case.ranks)
      diagnostics.error(who.at("rank"), fmt::format("rank: expected a number below {}", the_case.ranks));
  }
  return pass;
}

}  // namespace reloadlab::sim
