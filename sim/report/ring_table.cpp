#include "sim/report/ring_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <set>

#include "sim/report/layer_names.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

constexpr size_t tables_told = 4;                                   // of each series, where no ranks are named
constexpr size_t name_most = 12, step_most = 20, beside_most = 50;  // characters

bool is_of(const TracedSeries& series, const std::string& layer) { return std::ranges::find(series.layers, layer) != series.layers.end(); }

bool is_sent(const TracedEvent& event) { return event.event == "collective" || event.event == "captured"; }

// The root alone knows whose weight it sends: the n-th operation of a communicator is the same on all ranks.
class Operations {
 public:
  explicit Operations(const TracedExecution& execution) {
    for (const auto& [rank, events] : execution.ranks) {
      Count count;
      for (const TracedEvent& event : events)
        if (is_sent(event))
          if (const Key key = count.next(event); !event.layer.empty()) layers_[key] = event.layer;
    }
  }
  using Key = std::pair<std::string, int64_t>;  // communicator, number
  struct Count {
    std::map<std::string, int64_t> next_number;
    Key next(const TracedEvent& event) {
      const std::string group = event.text.substr(std::min(event.text.rfind(" of "), event.text.size()));
      return {group, next_number[group]++};
    }
  };
  std::string layer_of(const Key& key) const {
    const auto found = layers_.find(key);
    return found == layers_.end() ? std::string() : found->second;
  }

 private:
  std::map<Key, std::string> layers_;
};

// One series on one rank, from its first reach to its last read.
class Ring {
 public:
  Ring(const TracedExecution& execution, const TracedSeries& series, const Operations& operations, const std::vector<TracedEvent>& events)
      : execution_(execution), series_(series), operations_(operations) {
    find_windows(events);
    Operations::Count count;
    for (const TracedEvent& event : events) take(event, count);
  }

  struct Tenancy {
    std::string layer;  // empty: not known yet
    bool arrives = false, read = false;
    std::string read_as;  // another layer than lives here
  };
  struct Row {
    int64_t step;
    std::string reached;
    std::map<int64_t, Tenancy> windows;  // by slot
    std::vector<std::pair<std::string, std::string>> beside;
  };
  const std::vector<Row>& rows() const { return rows_; }
  bool owns_all() const {
    return std::ranges::all_of(series_.layers, [&](const std::string& layer) { return own_.contains(layer); });
  }
  // Their numbers: a window is called by the position of the layer that is first seen to live in it, in a ring of all of them.
  std::vector<int64_t> slots() const {
    std::vector<int64_t> all;
    for (const auto& [storage, slot] : slots_) all.push_back(slot);
    std::ranges::sort(all);
    return all;
  }

 private:
  // What a broadcast that some reach started fills.
  void find_windows(const std::vector<TracedEvent>& events) {
    bool reaching = false;
    for (const TracedEvent& event : events) {
      if (event.event == "reach_begin") reaching = is_of(series_, event.layer);
      if (event.event == "reach_end") reaching = false;
      if (!is_sent(event)) continue;
      if (!event.layer.empty()) own_.insert(event.layer);
      if (reaching && event.layer.empty() && event.value >= 0) storages_.insert(event.value);
    }
  }

  void take(const TracedEvent& event, Operations::Count& count) {
    if (event.event == "reach_begin" && is_of(series_, event.layer)) open_row(event.step, event.layer), reaching_ = true;
    if (event.event == "reach_end") reaching_ = false;
    if (event.event == "read" && event.text == "weight" && is_of(series_, event.layer)) read(event);
    if (!is_sent(event)) return;
    const std::string layer = operations_.layer_of(count.next(event));
    if (layer.empty() || !is_of(series_, layer) || is_in("replay", event.step)) return;
    if (!event.layer.empty() && reaching_) rows_.back().beside.emplace_back("sends", layer);
    if (event.layer.empty() && storages_.contains(event.value)) fill(event, layer);
  }

  Row& open_row(int64_t step, const std::string& reached) {
    Row next{step, reached, {}, {}};
    // What a graph does no host sees.
    const bool known =
        !rows_.empty() && (rows_.back().step == step || !(is_in("capture", rows_.back().step) || is_in("replay", rows_.back().step)));
    if (known)
      for (const auto& [slot, tenancy] : rows_.back().windows) next.windows[slot].layer = tenancy.layer;
    return rows_.emplace_back(std::move(next));
  }

  // What happens in a step in which nothing has been reached has a row of its own.
  Row& row_of(int64_t step) { return rows_.empty() || rows_.back().step != step ? open_row(step, "") : rows_.back(); }

  bool is_in(std::string_view kind, int64_t step) const {
    return step >= 0 && static_cast<size_t>(step) < execution_.steps.size() && execution_.steps[static_cast<size_t>(step)] == kind;
  }

  int64_t slot_of(int64_t storage, const std::string& first) {
    const auto [found, fresh] = slots_.try_emplace(storage, 0);
    if (!fresh) return found->second;
    const auto position = std::ranges::find(series_.layers, first) - series_.layers.begin();
    int64_t slot = position % (series_.prefetch + 1);
    const auto taken = [&](int64_t number) {
      return std::ranges::any_of(slots_, [&](const auto& each) { return each.first != storage && each.second == number; });
    };
    while (taken(slot)) slot = slot < series_.prefetch ? slot + 1 : (taken(0) ? slot + 1 : 0);
    return found->second = slot;
  }

  void fill(const TracedEvent& event, const std::string& layer) {
    Row& row = row_of(event.step);
    row.windows[slot_of(event.value, layer)] = {layer, true, false, {}};
  }

  void read(const TracedEvent& event) {
    if (is_in("replay", event.step)) {
      if (rows_.empty() || rows_.back().step != event.step)
        rows_.push_back({event.step, "", {}, {{"fills and reads as it was captured", ""}}});
      return;
    }
    Row& row = row_of(event.step);
    if (!storages_.contains(event.storage)) {
      row.beside.emplace_back(own_.contains(event.layer) ? "reads own" : "reads elsewhere", event.layer);
      return;
    }
    Tenancy& here = row.windows[slot_of(event.storage, event.layer)];
    if (here.layer.empty()) here.layer = event.layer;  // it came when loading was finished
    here.read = true;
    if (here.layer != event.layer) here.read_as = event.layer;
  }

  const TracedExecution& execution_;
  const TracedSeries& series_;
  const Operations& operations_;
  std::set<int64_t> storages_;        // of windows
  std::set<std::string> own_;         // layers
  std::map<int64_t, int64_t> slots_;  // by storage
  std::vector<Row> rows_;
  bool reaching_ = false;
};

class RingTables {
 public:
  RingTables(const TracedExecution& execution, const ViewOptions& options)
      : execution_(execution), options_(options), brief_(execution.series), operations_(execution) {}

  std::string text() const {
    std::string out;
    for (const TracedSeries& series : execution_.series) {
      size_t told = 0, left_out = 0;
      for (const auto& [rank, events] : execution_.ranks) {
        if (!options_.has_rank(rank)) continue;
        if (options_.ranks.empty() && told == tables_told) {
          ++left_out;
          continue;
        }
        ++told;
        out += title(series, rank) + table(Ring(execution_, series, operations_, events)) + "\n";
      }
      if (left_out > 0)
        out += fmt::format("series {}: {} left out: --ranks\n\n", series.name, plural(static_cast<int64_t>(left_out), "more rank"));
    }
    return out;
  }

 private:
  std::string title(const TracedSeries& series, int rank) const {
    const std::string model = execution_.models > 1 ? fmt::format("model {}, ", execution_.model) : "";
    return fmt::format("ring of {}series {}, rank {}: who lives in which window\n", model, series.name, rank);
  }

  std::string table(const Ring& ring) const {
    const std::vector<int64_t> slots = ring.slots();
    if (slots.empty()) return ring.owns_all() ? "no window is filled: each of its layers is the rank's own\n" : "no window is filled\n";
    std::vector<const Ring::Row*> rows;
    for (const Ring::Row& row : ring.rows())
      if (options_.has_step(row.step)) rows.push_back(&row);
    if (rows.empty()) return "nothing is filled, reached or read in that step\n";
    const size_t shown = std::min(rows.size(), static_cast<size_t>(options_.most));
    std::vector<std::vector<std::string>> columns = head_columns(rows, shown);
    std::vector<std::string> beside{"beside the windows"};
    for (size_t i = 0; i < shown; ++i) beside.push_back(beside_text(*rows[i]));
    size_t width = width_of(columns[0]) + width_of(columns[1]) + width_of(beside) + 2 * between.size(), left_out = 0;
    for (const int64_t slot : slots) {
      std::vector<std::string> column{fmt::format("slot {}", slot)};
      for (size_t i = 0; i < shown; ++i) column.push_back(cell(*rows[i], slot));
      width += width_of(column) + between.size();
      if (width > options_.width)
        ++left_out;
      else
        columns.push_back(std::move(column));
    }
    columns.push_back(std::move(beside));
    std::string out = aligned(turned(columns), between);
    if (shown < rows.size())
      out += fmt::format("… and {}: --rows, --step\n", plural(static_cast<int64_t>(rows.size() - shown), "more row"));
    if (left_out > 0) out += fmt::format("… and {}: --width\n", plural(static_cast<int64_t>(left_out), "more slot"));
    return out;
  }

  std::vector<std::vector<std::string>> head_columns(const std::vector<const Ring::Row*>& rows, size_t shown) const {
    std::vector<std::vector<std::string>> columns{{"step"}, {"reach"}};
    for (size_t i = 0; i < shown; ++i) {
      const bool same = i > 0 && rows[i]->step == rows[i - 1]->step;
      columns[0].push_back(same ? "" : shortened(execution_.step_name(rows[i]->step), step_most));
      columns[1].push_back(rows[i]->reached.empty() ? "-" : name(rows[i]->reached));
    }
    return columns;
  }

  std::string cell(const Ring::Row& row, int64_t slot) const {
    const auto found = row.windows.find(slot);
    if (found == row.windows.end() || found->second.layer.empty()) return ".";
    const Ring::Tenancy& here = found->second;
    std::string text = name(here.layer) + (here.arrives ? " arrives" : "") + (here.read ? ", read" : "");
    if (!here.read_as.empty()) text += " as " + name(here.read_as);
    return text;
  }

  std::string beside_text(const Ring::Row& row) const {
    std::vector<std::string> words;
    for (const auto& [what, layer] : row.beside) words.push_back(layer.empty() ? what : fmt::format("{} {}", what, name(layer)));
    return shortened(fmt::format("{}", fmt::join(words, ", ")), beside_most);
  }

  std::string name(const std::string& layer) const { return shortened(brief_(layer), name_most); }

  static size_t width_of(const std::vector<std::string>& column) { return std::ranges::max(column, {}, &std::string::size).size(); }
  static std::vector<std::vector<std::string>> turned(const std::vector<std::vector<std::string>>& columns) {
    std::vector<std::vector<std::string>> rows(columns.front().size());
    for (const auto& column : columns)
      for (size_t i = 0; i < column.size(); ++i) rows[i].push_back(column[i]);
    return rows;
  }

  static constexpr std::string_view between = " | ";

  const TracedExecution& execution_;
  const ViewOptions& options_;
  LayerNames brief_;
  Operations operations_;
};

}  // namespace

std::string rings_text(const TracedExecution& execution, const ViewOptions& options) { return RingTables(execution, options).text(); }

}  // namespace reloadlab::sim
