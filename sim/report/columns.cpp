#include "sim/report/columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "sim/evidence/text.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

std::string cut(const std::string& text, size_t width) {
  if (text.size() <= width) return fmt::format("{:<{}}", text, width);
  return width < 2 ? std::string(width, ' ') : text.substr(0, width - 1) + "~";
}

// "step 1: reach blocks.2.o_proj" is about step 1.
int64_t step_of(const std::string& about) {
  int64_t step = -1;
  if (about.starts_with("step ")) step = std::atoll(about.c_str() + 5);
  return step;
}

std::string what_of(const std::string& about) {
  const size_t colon = about.find(": ");
  return colon == std::string::npos ? about : about.substr(colon + 2);
}

// Layers by what tells them apart: of blocks.0.o_proj and blocks.1.o_proj "0" and "1".
class ShortNames {
 public:
  explicit ShortNames(const TracedExecution& execution) {
    std::set<std::string> names;
    for (const TracedStep& step : execution.timeline)
      if (const std::string name = last_word(step.about); name.find('.') != std::string::npos) names.insert(name);
    if (names.size() < 2) return;
    const std::string &first = *names.begin(), &last = *names.rbegin();
    while (head_ < std::min(first.size(), last.size()) && first[head_] == last[head_]) ++head_;
    while (head_ > 0 && first[head_ - 1] != '.') --head_;
    for (tail_ = first.size();
         std::ranges::any_of(names, [&](const auto& name) { return !name.ends_with(first.substr(first.size() - tail_)); });)
      --tail_;
    while (tail_ > 0 && first[first.size() - tail_] != '.') --tail_;
    shortest_ = std::ranges::min(names, {}, &std::string::size).size();
    head_text_ = first.substr(0, head_);
    tail_text_ = first.substr(first.size() - tail_);
  }
  // "reach blocks.2.o_proj" as "reach 2".
  std::string operator()(const std::string& about) const {
    const std::string name = last_word(about);
    if (name.find('.') == std::string::npos || head_ + tail_ >= shortest_) return about;
    return about.substr(0, about.size() - name.size()) + name.substr(head_, name.size() - head_ - tail_);
  }
  // Empty where names are as they are.
  std::string legend() const {
    if (head_ + tail_ == 0 || head_ + tail_ >= shortest_) return {};
    return fmt::format("layers: N is {}N{}\n", head_text_, tail_text_);
  }

 private:
  static std::string last_word(const std::string& about) { return about.substr(about.rfind(' ') + 1); }
  size_t head_ = 0, tail_ = 0, shortest_ = 0;
  std::string head_text_, tail_text_;
};

using Lane = std::pair<int, std::string>;  // rank, stream

// "stream 6 of sim:1" on rank 1 is "rank 1, stream 6".
std::string lane_name(const Lane& lane) { return fmt::format("rank {}, {}", lane.first, lane.second.substr(0, lane.second.find(" of "))); }

bool shows_rank(const ViewOptions& options, int rank) {
  return options.ranks.empty() || std::ranges::find(options.ranks, rank) != options.ranks.end();
}

class Columns {
 public:
  Columns(const TracedExecution& execution, const ViewOptions& options) : options_(options), brief_(execution) {
    for (const TracedStep& step : execution.timeline)
      if (shown(step)) steps_.push_back(&step);
    for (const TracedStep* step : steps_) lanes_.try_emplace({step->rank, step->stream}, 0);
    leave_out();
    size_t at = 0;
    for (auto& [lane, column] : lanes_) column = at++;
  }

  std::string text() const {
    if (lanes_.empty()) return "nothing was done on a device\n";
    std::string out = brief_.legend() + line("", [&](size_t column) { return names()[column]; });
    int64_t row = 0;
    for (size_t i = 0; i < steps_.size(); ++row) {
      const size_t next = i + together(i);
      if (row == options_.most) return out + fmt::format("… and {} more steps: --rows, --step\n", steps_.size() - i) + left_out();
      std::vector<std::string> cells(lanes_.size());
      for (; i < next; ++i) cells[lanes_.at({steps_[i]->rank, steps_[i]->stream})] = word(*steps_[i]);
      out += line(fmt::format("{}", row), [&](size_t column) { return cells[column]; });
    }
    return out + left_out();
  }

 private:
  bool shown(const TracedStep& step) const {
    const int64_t of = step_of(step.about);
    return (options_.step >= 0 ? of == options_.step : of > 0) && shows_rank(options_, step.rank);
  }
  // A column in which nothing can be read helps nobody.
  void leave_out() {
    const size_t room = std::max<size_t>(1, (options_.width - row_number) / (least_width + between));
    for (; lanes_.size() > room; ++left_out_) lanes_.erase(std::prev(lanes_.end()));
    std::erase_if(steps_, [&](const TracedStep* step) { return !lanes_.contains({step->rank, step->stream}); });
  }
  std::string left_out() const {
    if (left_out_ == 0) return {};
    return fmt::format("{} more stream{} left out: --ranks says whose are shown, --width how much a line holds\n", left_out_,
                       left_out_ == 1 ? " is" : "s are");
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [lane, column] : lanes_) all.push_back(lane_name(lane));
    return all;
  }
  static bool is_collective(const TracedStep& step) { return step.operation.find(" #") != std::string::npos; }
  // What goes on one line: a collective is one step of all its ranks; other steps, each on a stream of its own, are put side by side.
  size_t together(size_t i) const {
    std::set<Lane> taken{{steps_[i]->rank, steps_[i]->stream}};
    size_t count = 1;
    const bool collective = is_collective(*steps_[i]);
    for (; i + count < steps_.size(); ++count) {
      const TracedStep& next = *steps_[i + count];
      if (collective ? next.operation != steps_[i]->operation : is_collective(next)) break;
      if (!collective && !taken.insert({next.rank, next.stream}).second) break;
    }
    return count;
  }
  std::string word(const TracedStep& step) const {
    std::string operation = step.operation.starts_with("aten::") ? step.operation.substr(6) : step.operation;
    if (is_collective(step)) operation = operation.substr(0, operation.find(" of "));
    if (step.about.empty()) return operation;
    const std::string about = brief_(what_of(step.about)), whole = operation + " " + about;
    // Which layer it is about matters more than what is done about it.
    return whole.size() <= width() ? whole : operation + " " + about.substr(about.rfind(' ') + 1);
  }
  size_t width() const { return (options_.width - row_number) / lanes_.size() - between; }
  template <class Cell>
  std::string line(const std::string& head, Cell&& cell) const {
    std::string out = fmt::format("{:>4} ", head);
    for (size_t column = 0; column < lanes_.size(); ++column) out += "| " + cut(cell(column), width()) + " ";
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out + "\n";
  }

  static constexpr size_t row_number = 5, between = 3, least_width = 14;  // characters

  ViewOptions options_;
  ShortNames brief_;
  size_t left_out_ = 0;
  std::vector<const TracedStep*> steps_;
  std::map<Lane, size_t> lanes_;
};

// Of each rank a table of its windows by the layers that it reached: whose broadcast that reach started into which.
class Windows {
 public:
  Windows(const TracedExecution& execution, const ViewOptions& options) : execution_(execution), options_(options), brief_(execution) {
    find_layers();
  }

  std::string text() const {
    std::string out;
    for (const auto& [rank, events] : execution_.ranks)
      if (shows_rank(options_, rank)) out += of_rank(rank, events);
    return out.empty() ? "no window was filled\n" : out;
  }

 private:
  // The root alone knows whose weight it sends: the n-th operation of a communicator is the same on all ranks.
  void find_layers() {
    for (const auto& [rank, events] : execution_.ranks) {
      std::map<std::string, size_t> numbers;
      for (const TracedEvent& event : events)
        if (event.event == "collective") {
          const size_t number = numbers[group_of(event)]++;
          if (!event.layer.empty()) layers_[{group_of(event), number}] = event.layer;
        }
    }
  }
  static std::string group_of(const TracedEvent& event) { return event.text.substr(std::min(event.text.rfind(" of "), event.text.size())); }

  std::string of_rank(int rank, const std::vector<TracedEvent>& events) const {
    std::map<std::string, size_t> numbers;
    std::map<int64_t, std::vector<std::string>> slots;  // by storage: a cell for each reach
    std::vector<std::string> heads;
    std::string reached;
    for (const TracedEvent& event : events) {
      if (event.event == "reach_begin") reached = event.layer, heads.push_back(event.layer);
      if (event.event == "reach_end") reached.clear();
      if (event.event != "collective") continue;
      const size_t number = numbers[group_of(event)]++;
      const auto layer = layers_.find({group_of(event), number});
      if (reached.empty() || event.value < 0 || layer == layers_.end() || !event.layer.empty()) continue;
      std::vector<std::string>& cells = slots[event.value];
      cells.resize(heads.size());
      cells.back() = layer->second;
    }
    return slots.empty() ? std::string() : table(rank, heads, slots);
  }

  std::string table(int rank, const std::vector<std::string>& heads, std::map<int64_t, std::vector<std::string>>& slots) const {
    std::vector<std::vector<std::string>> rows{{fmt::format("rank {} reaches", rank)}};
    for (auto& [storage, cells] : slots) {
      rows[0].push_back(fmt::format("into {}", storage));
      cells.resize(heads.size());
    }
    const size_t shown = std::min(heads.size(), static_cast<size_t>(options_.most));
    for (size_t i = 0; i < shown; ++i) {
      rows.push_back({brief_(heads[i])});
      for (const auto& [storage, cells] : slots) rows.back().push_back(cells[i].empty() ? "." : brief_(cells[i]));
    }
    const std::string more = shown < heads.size() ? fmt::format("… and {} more: --rows\n", heads.size() - shown) : std::string();
    return aligned(rows, " | ") + more + "\n";
  }

  const TracedExecution& execution_;
  const ViewOptions& options_;
  ShortNames brief_;
  std::map<std::pair<std::string, size_t>, std::string> layers_;
};

// The text behind the head; where that is no line, in lines that end in a backslash but for the last one.
std::string continued(const std::string& head, std::string_view text, size_t width) {
  if (head.size() + text.size() <= width) return fmt::format("{}{}\n", head, text);
  std::string out = head + "\\\n";
  for (; text.size() > width; text.remove_prefix(width - 1)) out += fmt::format("{}\\\n", text.substr(0, width - 1));
  return fmt::format("{}{}\n", out, text);
}

std::string race_text(const TracedRace& race, size_t line) {
  const size_t width = (line - 16) / 2;
  const auto row = [&](const std::string& left, std::string_view between, const std::string& right) {
    return fmt::format("  {} {:^9} {}\n", cut(left, width), between, right);
  };
  const auto does = [](const TracedStep& step, bool writes) { return fmt::format("{} {}", step.operation, writes ? "writes" : "reads"); };
  std::string out = row(race.first.stream, "", race.second.stream);
  out += row(does(race.first, race.first_writes), "--- ? -->", does(race.second, race.second_writes));
  out += row(race.first.about, "no edge", race.second.about);
  if (!race.witness.empty())
    out += continued(fmt::format("  {}: --schedule ", in_both_orders(race.witness, race.reader)), race.schedule, line);
  return out;
}

}  // namespace

std::string columns_text(const TracedExecution& execution, const ViewOptions& options) { return Columns(execution, options).text(); }
std::string windows_text(const TracedExecution& execution, const ViewOptions& options) { return Windows(execution, options).text(); }

std::string races_text(const TracedExecution& execution, const ViewOptions& options) {
  const auto is_shown = [&](const TracedRace& race) {
    const bool in_step = options.step < 0 || step_of(race.first.about) == options.step || step_of(race.second.about) == options.step;
    return in_step && shows_rank(options, race.rank);
  };
  std::string out;
  for (const TracedRace& race : execution.races)
    if (is_shown(race)) out += race_text(race, options.width) + "\n";
  return out;
}

}  // namespace reloadlab::sim
