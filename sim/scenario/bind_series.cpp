#include "sim/scenario/bind_series.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "sim/scenario/ranges.h"
#include "sim/scenario/schema.h"
#include "sim/scenario/spelling.h"
#include "sim/scenario/structure.h"
#include "sim/scenario/visits.h"

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

// In the same words for each number of ranks that is too small.
void check_rank(int64_t rank, const Case& the_case, Position at, Diagnostics& diagnostics) {
  if (rank >= the_case.ranks)
    diagnostics.error(at, fmt::format("rank {} is in no world with fewer ranks, expected a number below each of world.ranks", rank));
}

std::vector<int64_t> bind_ranks(const Reader& reader, const Case& the_case, Diagnostics& diagnostics) {
  if (!reader.has("ranks")) return {};
  std::vector<int64_t> ranks = integers_of(*reader.node("ranks"));
  const bool ascending = std::ranges::adjacent_find(ranks, std::ranges::greater_equal()) == ranks.end();
  if (ranks.empty() || !ascending)
    diagnostics.error(reader.at("ranks"), fmt::format("ranks: [{}], expected ascending numbers, at least one", fmt::join(ranks, ", ")));
  else
    check_rank(ranks.back(), the_case, reader.at("ranks"), diagnostics);
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
        diagnostics_.error(node.at,
                           fmt::format("group {} with other ranks than for series {}, expected the same ones", spec.group, other.name));
    all_.push_back(std::move(spec));
  }
  std::vector<SeriesSpec> take() { return std::move(all_); }

 private:
  void check_indices(const Reader& reader, const SeriesSpec& spec) {
    const auto last = spec.first + static_cast<int64_t>(spec.layers.size()) - 1;
    if (reader.has("first") && last > series_index_max)
      diagnostics_.error(reader.at("first"),
                         fmt::format("first: {} makes the last layer's index {}, expected at most {}", spec.first, last, series_index_max));
    if (!reader.has("indices")) return;
    const std::vector<int64_t>& indices = spec.indices;
    if (reader.has("first")) diagnostics_.error(reader.at("indices"), "`first` and `indices`, expected one of them");
    if (indices.size() != spec.layers.size())
      diagnostics_.error(reader.at("indices"),
                         fmt::format("{} indices, expected {}: one for each layer", indices.size(), spec.layers.size()));
    if (std::ranges::adjacent_find(indices, std::ranges::greater_equal()) != indices.end())
      diagnostics_.error(reader.at("indices"), "indices that do not ascend, expected each above the one before it");
  }

  const Case& case_;
  std::vector<std::string> known_;
  Diagnostics& diagnostics_;
  std::set<std::string> names_, taken_;
  std::vector<SeriesSpec> all_;
};

}  // namespace

std::vector<SeriesSpec> bind_series(const Node& list, const Case& the_case, Diagnostics& diagnostics) {
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

namespace {

// What judging one pass may cost; larger ones are taken as they are.
constexpr int64_t deviations_judged = 64, visits_judged = 1 << 22;

bool changes(const Pass& pass, const Pass& without, const Case& the_case) {
  for (int64_t rank = 0; rank < the_case.ranks; ++rank)
    if (visits(the_case, pass, rank) != visits(the_case, without, rank)) return true;
  return false;
}

bool passes_by(const Pass& pass, const std::string& layer, const Case& the_case) {
  for (int64_t rank = 0; rank < the_case.ranks; ++rank)
    if (const auto seen = visits(the_case, pass, rank); std::ranges::find(seen, layer, &Visit::layer) != seen.end()) return true;
  return false;
}

// What is asked for and changes nothing was not meant so. A pass may end where it ends anyway: that is the last of all places to end at.
void check_effect(const Reader& reader, const Pass& pass, const Case& the_case, Diagnostics& diagnostics) {
  if (static_cast<int64_t>(pass.deviations.size()) > deviations_judged) return;
  const auto layers = static_cast<int64_t>(the_case.model.layers.size());
  if (layers * layers * the_case.ranks > visits_judged) return;
  for (size_t i = 0; i < pass.deviations.size(); ++i) {
    Pass without = pass;
    without.deviations.erase(without.deviations.begin() + static_cast<std::ptrdiff_t>(i));
    const std::string_view word = spell(deviation_spellings, pass.deviations[i].deviation);
    const bool ends = pass.deviations[i].deviation == Deviation::until && passes_by(pass, pass.deviations[i].layer, the_case);
    if (!ends && !changes(pass, without, the_case))
      diagnostics.error(reader.at(word), fmt::format("{}: {} changes nothing in this pass, expected a layer at which it does", word,
                                                     pass.deviations[i].layer));
  }
  if (!pass.lost || pass.lost->rank >= the_case.ranks) return;
  Pass without = pass;
  without.lost.reset();
  if (!changes(pass, without, the_case))
    diagnostics.error(reader.at("lost"), fmt::format("lost: rank {} does not pass {}, expected a rank and a layer that it passes",
                                                     pass.lost->rank, pass.lost->after));
}

}  // namespace

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
    check_rank(pass.lost->rank, the_case, who.at("rank"), diagnostics);
  }
  check_effect(reader, pass, the_case, diagnostics);
  return pass;
}

}  // namespace reloadlab::sim
