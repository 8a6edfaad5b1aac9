#include "sim/scenario/bind_graphs.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "sim/scenario/spelling.h"
#include "sim/scenario/structure.h"

namespace reloadlab::sim {
namespace {

bool is_of_graphs(std::string_view key) { return key == "sizes" || key == "shared_pool" || key == "mode"; }

}  // namespace

Graphs GraphBinder::capture(const Node& own) {
  const Reader reader(own, "capture");
  if (world_ == WorldKind::cpu || world_ == WorldKind::meta)
    diagnostics_.error(own.at, fmt::format("capture in the world {}, which has no graphs, expected sim or cuda", world_name(*world_)));
  for (const Node::Entry& each : own.entries)
    if (!is_of_graphs(each.key)) diagnostics_.error(each.at, fmt::format("{} without series, expected a model with series", each.key));
  Graphs graphs{
      .sizes = {1}, .shared_pool = std::get<bool>(reader.value("shared_pool")), .mode = unspell(mode_spellings, reader.text("mode"))};
  if (const Node* sizes = reader.node("sizes")) {
    graphs.sizes = integers_of(*sizes);
    std::vector<int64_t> sorted = graphs.sizes;
    std::ranges::sort(sorted);
    if (sorted.empty()) diagnostics_.error(sizes->at, "sizes: an empty list, expected at least one size");
    if (std::ranges::adjacent_find(sorted) != sorted.end()) diagnostics_.error(sizes->at, "sizes: one of them twice, expected each once");
  }
  captured_ = graphs.sizes;
  return graphs;
}

Graphs GraphBinder::replay(const Node& own) const {
  const Node* sizes = Reader(own, "replay").node("sizes");
  if (!sizes) return {};
  Graphs graphs{.sizes = integers_of(*sizes)};
  for (const int64_t size : graphs.sizes)
    if (!captured_.empty() && std::ranges::find(captured_, size) == captured_.end())
      diagnostics_.error(sizes->at, fmt::format("sizes: {} was not captured, expected one of {}", size, fmt::join(captured_, ", ")));
  return graphs;
}

void GraphBinder::refuse_sizes(const Node& own) const {
  for (const Node::Entry& each : own.entries)
    if (is_of_graphs(each.key)) diagnostics_.error(each.at, fmt::format("{} with series, expected a model without series", each.key));
}

}  // namespace reloadlab::sim
