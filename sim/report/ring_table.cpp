#include "sim/report/ring_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/report/layer_names.h"
#include "sim/report/ring.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

constexpr size_t tables_told = 4;  // of each series, where no ranks are named
// Characters.
constexpr size_t name_most = 12, step_most = 20, beside_most = 50, beside_least = 20;

constexpr std::string_view what_words_mean =
    "windows: arriving: its broadcast is issued, and no read, drain or reset came since; held: it lives there; empty: no other rank's "
    "layer does; ?: not known";

class RingTables {
 public:
  RingTables(const TracedExecution& execution, const ViewOptions& options)
      : execution_(execution), options_(options), brief_(execution.series), operations_(execution) {}

  std::string text() const {
    if (execution_.series.empty()) return {};
    std::string out = execution_.model == 0 ? wrapped(what_words_mean, options_.width) + "\n" : "";
    for (const std::string& difference : operations_.differences()) out += wrapped(difference, options_.width) + "\n";
    for (const TracedSeries& series : execution_.series) out += tables(series);
    return out;
  }

 private:
  std::string tables(const TracedSeries& series) const {
    std::string out;
    size_t told = 0, left_out = 0;
    for (const TracedRank& rank : execution_.ranks) {
      if (!options_.has_rank(rank.number)) continue;
      if (options_.ranks.empty() && told == tables_told) {
        ++left_out;
        continue;
      }
      ++told;
      out += title(series, rank.number) + table(Ring(execution_, series, operations_, rank.events)) + "\n";
    }
    if (left_out == 0) return out;
    return out + notice("series {}: {} left out: --ranks", series.name, plural(static_cast<int64_t>(left_out), "more rank")) + "\n";
  }

  template <class... Words>
  std::string notice(fmt::format_string<Words...> text, Words&&... words) const {
    return wrapped(fmt::format(text, std::forward<Words>(words)...), options_.width);
  }

  std::string title(const TracedSeries& series, int rank) const {
    const std::string model = execution_.models > 1 ? fmt::format("model {}, ", execution_.model) : "";
    return notice("ring of {}series {}, rank {}: who lives in which window", model, series.name, rank);
  }

  using Column = std::vector<std::string>;
  using Rows = std::vector<const Ring::Row*>;  // those that are shown

  std::string table(const Ring& ring) const {
    const std::vector<int64_t> slots = ring.slots();
    if (slots.empty())
      return notice("{}", ring.owns_all() ? "no window is filled: each of its layers is the rank's own" : "no window is filled");
    Rows rows;
    for (const Ring::Row& row : ring.rows())
      if (options_.has_step(row.step)) rows.push_back(&row);
    if (rows.empty()) return notice("nothing is filled, reached or read in that step");
    const size_t all = rows.size();
    rows.resize(std::min(all, static_cast<size_t>(options_.most)));
    std::vector<Column> columns = head_columns(rows);
    std::string left_out = add_slots(columns, rows, slots);
    left_out += add_beside(columns, rows);
    if (rows.size() < all)
      left_out = notice("… and {}: --rows, --step", plural(static_cast<int64_t>(all - rows.size()), "more row")) + left_out;
    return aligned(turned(columns), between) + left_out;
  }

  std::vector<Column> head_columns(const Rows& rows) const {
    std::vector<Column> columns{{"step"}, {"reach"}};
    for (size_t i = 0; i < rows.size(); ++i) {
      const bool same = i > 0 && rows[i]->step == rows[i - 1]->step;
      columns[0].push_back(same ? "" : shortened(execution_.step_name(rows[i]->step), std::min(step_most, options_.width / 5)));
      columns[1].push_back(rows[i]->reached.empty() ? "-" : name(rows[i]->reached));
    }
    return columns;
  }

  // At least one of them, in what room there is.
  std::string add_slots(std::vector<Column>& columns, const Rows& rows, const std::vector<int64_t>& slots) const {
    size_t left_out = 0;
    for (const int64_t slot : slots) {
      const size_t room = room_behind(columns);
      Column column{fmt::format("slot {}", slot)};
      for (const Ring::Row* row : rows) column.push_back(cell(*row, slot));
      if (columns.size() == 2)
        for (std::string& each : column) each = shortened(each, room);
      if (left_out > 0 || width_of(column) > room)
        ++left_out;
      else
        columns.push_back(std::move(column));
    }
    return left_out == 0 ? std::string() : notice("… and {}: --width", plural(static_cast<int64_t>(left_out), "more slot"));
  }

  std::string add_beside(std::vector<Column>& columns, const Rows& rows) const {
    const size_t room = room_behind(columns);
    Column column{"beside the windows"};
    for (const Ring::Row* row : rows) column.push_back(shortened(beside_text(*row), std::max(beside_least, std::min(beside_most, room))));
    if (width_of(column) > room) return notice("… and what is beside the windows: --width");
    columns.push_back(std::move(column));
    return {};
  }

  size_t room_behind(const std::vector<Column>& columns) const {
    size_t taken = 0;
    for (const Column& column : columns) taken += width_of(column) + between.size();
    return options_.width - std::min(options_.width, taken);
  }

  std::string cell(const Ring::Row& row, int64_t slot) const {
    const auto found = row.windows.find(slot);
    const Ring::Tenancy here = found == row.windows.end() ? Ring::Tenancy{} : found->second;
    return here.text([this](const std::string& layer) { return name(layer); });
  }

  std::string beside_text(const Ring::Row& row) const {
    std::vector<std::string> words;
    for (const auto& [what, layer] : row.beside) words.push_back(layer.empty() ? what : fmt::format("{} {}", what, name(layer)));
    return fmt::format("{}", fmt::join(words, ", "));
  }

  std::string name(const std::string& layer) const { return brief_.within(layer, std::min(name_most, options_.width / 5)); }

  static size_t width_of(const Column& column) { return std::ranges::max(column, {}, &std::string::size).size(); }
  static std::vector<Column> turned(const std::vector<Column>& columns) {
    std::vector<Column> rows(columns.front().size());
    for (const Column& column : columns)
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
