#include "sim/report/columns.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <tuple>

#include "sim/evidence/text.h"
#include "sim/report/layer_names.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

std::string cut(const std::string& text, size_t width) {
  if (width < 2 && text.size() > width) return std::string(width, ' ');
  return fmt::format("{:<{}}", shortened(text, width), width);
}

// "step 1: reach blocks.2.o_proj" is about that.
std::string what_of(const std::string& about) {
  const size_t colon = about.find(": ");
  return colon == std::string::npos ? about : about.substr(colon + 2);
}

// Which layers' weights the broadcasts of each reach carry, as their roots know.
class Sent {
 public:
  explicit Sent(std::span<const TracedExecution> models) {
    for (const TracedExecution& model : models)
      for (const auto& [rank, events] : model.ranks) note(model.model, events);
  }
  // Empty where that is not one layer.
  std::string of(const TracedStep& step) const {
    const auto found = layers_.find({step.model, step.step, what_of(step.about)});
    return found == layers_.end() || found->second.size() != 1 ? std::string() : *found->second.begin();
  }

 private:
  void note(int64_t model, const std::vector<TracedEvent>& events) {
    std::string reached;
    for (const TracedEvent& event : events) {
      if (event.event == "reach_begin") reached = event.layer;
      if (event.event == "reach_end") reached.clear();
      if (event.event == "collective" && !reached.empty() && !event.layer.empty())
        layers_[{model, event.step, "reach " + reached}].insert(event.layer);
    }
  }
  std::map<std::tuple<int64_t, int64_t, std::string>, std::set<std::string>> layers_;  // by model, step and what is done
};

struct Lane {
  int rank;
  std::string stream;  // "stream 6"
  auto key() const { return std::tuple(rank, stream.size(), stream); }
  bool operator<(const Lane& other) const { return key() < other.key(); }  // stream 10 is behind stream 6
};

Lane lane_of(const TracedStep& step) { return {step.rank, step.stream.substr(0, step.stream.find(" of "))}; }

class Columns {
 public:
  Columns(std::span<const TracedExecution> models, const ViewOptions& options)
      : run_(models.front()), options_(options), brief_(run_.series), sent_(models) {
    for (const TracedStep& step : run_.timeline)
      if (options_.has_step(step.step) && options_.has_rank(step.rank)) steps_.push_back(&step);
    for (const TracedStep* step : steps_) {
      lanes_.try_emplace(lane_of(*step), 0);
      head_ = std::max(head_, row_number + step_words(*step).size());
    }
    leave_out();
    size_t at = 0;
    for (auto& [lane, column] : lanes_) column = at++;
  }

  std::string text() const {
    if (run_.timeline.empty()) return fmt::format("no column for each stream: the world {} keeps no times\n", run_.world);
    if (lanes_.empty()) return "nothing was done on a device\n";
    std::string out = brief_.legend() + title();
    int64_t row = 0;
    std::string before;
    for (size_t i = 0; i < steps_.size(); ++row) {
      const size_t next = i + together(i);
      if (row == options_.most) return out + fmt::format("… and {} more doings: --rows, --step\n", steps_.size() - i) + left_out();
      std::vector<std::string> cells(lanes_.size());
      const std::string words = step_words(*steps_[i]);
      for (; i < next; ++i) cells[lanes_.at(lane_of(*steps_[i]))] = word(*steps_[i]);
      out += line(fmt::format("{:>4}  {}", row, words == before ? "" : words), cells);
      before = words;
    }
    return out + left_out();
  }

 private:
  std::string title() const {
    std::vector<std::string> ranks, streams;
    for (const auto& [lane, column] : lanes_) ranks.push_back(fmt::format("rank {}", lane.rank)), streams.push_back(lane.stream);
    return line("", ranks) + line(" row  step", streams);
  }
  // A column in which nothing can be read helps nobody.
  void leave_out() {
    const size_t room = std::max<size_t>(1, (options_.width - std::min(options_.width, head_)) / (least_width + between));
    for (; lanes_.size() > room; ++left_out_) lanes_.erase(std::prev(lanes_.end()));
    std::erase_if(steps_, [&](const TracedStep* step) { return !lanes_.contains(lane_of(*step)); });
  }
  std::string left_out() const {
    if (left_out_ == 0) return {};
    return fmt::format("{} more stream{} left out: --ranks says whose are shown, --width how much a line holds\n", left_out_,
                       left_out_ == 1 ? " is" : "s are");
  }
  // "1 pass", "1 pass, model 1"
  std::string step_words(const TracedStep& step) const {
    std::string words = run_.step_name(step.step);
    if (run_.models > 1) words += fmt::format(", model {}", step.model);
    return words;
  }
  static bool is_collective(const TracedStep& step) { return step.operation.find(" #") != std::string::npos; }
  // What goes on one line: a collective is one step of all its ranks; other steps, each on a stream of its own, are put side by side.
  size_t together(size_t i) const {
    const TracedStep& first = *steps_[i];
    std::set<Lane> taken{lane_of(first)};
    size_t count = 1;
    for (; i + count < steps_.size(); ++count) {
      const TracedStep& next = *steps_[i + count];
      if (next.step != first.step || next.model != first.model) break;
      if (is_collective(first) ? next.operation != first.operation : is_collective(next)) break;
      if (!taken.insert(lane_of(next)).second) break;
    }
    return count;
  }
  // As much as there is room for: which layer it is about matters more than what is done about it.
  std::string word(const TracedStep& step) const {
    std::string operation = step.operation.starts_with("aten::") ? step.operation.substr(6) : step.operation;
    const std::string about = brief_.in(what_of(step.about)), layer = sent_.of(step);
    if (is_collective(step)) {
      operation = operation.substr(0, operation.find(" of "));
      if (!layer.empty()) operation = fmt::format("{} {}", operation.substr(0, operation.find(" #")), brief_(layer));
    }
    if (about.empty()) return operation;
    for (const std::string& text :
         {fmt::format("{} ({})", operation, about), fmt::format("{} ({})", operation, about.substr(about.rfind(' ') + 1))})
      if (text.size() <= width()) return text;
    return operation;
  }
  size_t width() const { return (options_.width - std::min(options_.width, head_)) / lanes_.size() - between; }
  std::string line(const std::string& head, const std::vector<std::string>& cells) const {
    std::string out = cut(head, head_);
    for (const std::string& cell : cells) out += " | " + cut(cell, width());
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out + "\n";
  }

  static constexpr size_t row_number = 6, between = 3, least_width = 13;  // characters

  const TracedExecution& run_;
  const ViewOptions& options_;
  LayerNames brief_;
  Sent sent_;
  size_t head_ = row_number + 4, left_out_ = 0;
  std::vector<const TracedStep*> steps_;
  std::map<Lane, size_t> lanes_;
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

std::string columns_text(std::span<const TracedExecution> models, const ViewOptions& options) { return Columns(models, options).text(); }

std::string races_text(const TracedExecution& execution, const ViewOptions& options) {
  const auto is_shown = [&](const TracedRace& race) {
    const bool in_step = options.step < 0 || race.first.step == options.step || race.second.step == options.step;
    return in_step && options.has_rank(race.rank);
  };
  std::string out;
  for (const TracedRace& race : execution.races)
    if (is_shown(race)) out += race_text(race, options.width) + "\n";
  return out;
}

}  // namespace reloadlab::sim
