#include "sim/report/html_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/report/layer_names.h"
#include "sim/report/ring.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

constexpr size_t most_rows = 400;  // of a table

void put(pugi::xml_node node, const char* name, const std::string& value) { node.append_attribute(name) = value.c_str(); }

void add_bar(pugi::xml_node drawing, const char* css_class, double x, double height, double of, const std::string& says) {
  pugi::xml_node bar = add(drawing, "rect", {}, css_class);
  put(bar, "x", fmt::format("{}", x));
  put(bar, "y", fmt::format("{:.1f}", of - height));
  put(bar, "width", "14");
  put(bar, "height", fmt::format("{:.1f}", height));
  add(bar, "title", says);
}

// By tensor, what the rank had of it from the end of the step on.
std::map<std::string, std::string> places_at(const TracedRank& rank, int64_t step) {
  std::map<std::string, std::string> places;
  for (const TracedPlace& change : rank.places)
    if (change.step <= step) places[change.tensor] = change.place;
  std::erase_if(places, [](const auto& each) { return each.second.empty(); });
  return places;
}

const char* class_of(const Ring::Tenancy& tenancy) {
  if (!tenancy.read_as.empty()) return "bad";
  return tenancy.state == Ring::Tenancy::State::arriving ? "arriving" : tenancy.read ? "read" : "";
}

}  // namespace

pugi::xml_node add(pugi::xml_node parent, const char* kind, const std::string& text, const std::string& css_class) {
  pugi::xml_node node = parent.append_child(kind);
  if (!css_class.empty()) put(node, "class", css_class);
  if (!text.empty()) node.append_child(pugi::node_pcdata).set_value(printable(text).c_str());
  return node;
}

pugi::xml_node add_table(pugi::xml_node parent, const std::vector<std::string>& heading) {
  pugi::xml_node table = add(parent, "table");
  pugi::xml_node row = add(table, "tr");
  for (const std::string& each : heading) add(row, "th", each);
  return table;
}

void add_memory(pugi::xml_node parent, const TracedExecution& run, const TracedRank& rank) {
  int64_t most = 0;
  for (const TracedOutcome& outcome : rank.outcomes) most = std::max({most, outcome.peak, outcome.live});
  if (most == 0) return;
  constexpr double height = 120, width = 18;
  add(parent, "h4", fmt::format("rank {}: bytes held at the end of each step, and at most: {}", rank.number, grouped(most)));
  pugi::xml_node drawing = add(parent, "svg", {}, "memory");
  put(drawing, "width", fmt::format("{}", width * static_cast<double>(rank.outcomes.size()) + 4));
  put(drawing, "height", fmt::format("{}", height));
  double x = 2;
  for (const TracedOutcome& outcome : rank.outcomes) {
    const auto high = [&](int64_t bytes) { return height * static_cast<double>(bytes) / static_cast<double>(most); };
    const std::string says = fmt::format("{}: {} bytes at its end, {} at most; {}", run.step_name(outcome.step), grouped(outcome.live),
                                         grouped(outcome.peak), outcome.status);
    add_bar(drawing, "peak", x, high(std::max(outcome.peak, outcome.live)), height, says);
    add_bar(drawing, outcome.status == "ok" ? "live" : "live failed", x, high(outcome.live), height, says);
    x += width;
  }
}

void add_ledger(pugi::xml_node parent, const TracedExecution& run, const TracedRank& rank, int64_t step) {
  const auto before = places_at(rank, step - 1), behind = places_at(rank, step);
  std::map<std::pair<bool, std::string>, std::pair<std::string, std::string>> rows;  // what moved first
  for (const auto* places : {&before, &behind})
    for (const auto& [tensor, place] : *places) {
      const auto was = before.find(tensor), is = behind.find(tensor);
      const std::string from = was == before.end() ? "-" : was->second, to = is == behind.end() ? "gone" : is->second;
      rows[{from == to, tensor}] = {from, to};
    }
  if (rows.empty()) return;
  const auto moved = std::ranges::count_if(rows, [](const auto& row) { return !row.first.first; });
  add(parent, "h4", fmt::format("rank {}: where tensors lie before and behind step {}: {} moved", rank.number, run.step_name(step), moved));
  pugi::xml_node table = add_table(parent, {"tensor", "before", "behind"});
  size_t told = 0;
  for (const auto& [key, place] : rows) {
    if (++told > most_rows) break;
    pugi::xml_node row = add(table, "tr", {}, key.first ? "" : "moved");
    for (const std::string& each : {key.second, place.first, place.second}) add(row, "td", each);
  }
  if (rows.size() > most_rows) add(parent, "p", fmt::format("… and {} more that lie where they lay", rows.size() - most_rows));
}

void add_ring(pugi::xml_node parent, const TracedExecution& run, const TracedSeries& series, const TracedRank& rank) {
  const Operations operations(run);
  const Ring ring(run, series, operations, rank.events);
  const std::vector<int64_t> slots = ring.slots();
  if (slots.empty()) return;
  const LayerNames brief(run.series);
  add(parent, "h4", fmt::format("series {}, rank {}: who lives in which window", series.name, rank.number));
  std::vector<std::string> heading{"step", "reach"};
  for (const int64_t slot : slots) heading.push_back(fmt::format("slot {}", slot));
  pugi::xml_node table = add_table(parent, heading);
  size_t told = 0;
  for (const Ring::Row& each : ring.rows()) {
    if (++told > most_rows) break;
    pugi::xml_node row = add(table, "tr");
    add(row, "td", run.step_name(each.step));
    add(row, "td", each.reached.empty() ? "-" : brief(each.reached));
    for (const int64_t slot : slots) {
      const auto window = each.windows.find(slot);
      const Ring::Tenancy tenancy = window == each.windows.end() ? Ring::Tenancy() : window->second;
      add(row, "td", tenancy.text(brief), class_of(tenancy));
    }
  }
  if (ring.rows().size() > most_rows) add(parent, "p", fmt::format("… and {} more reaches", ring.rows().size() - most_rows));
}

}  // namespace reloadlab::sim
