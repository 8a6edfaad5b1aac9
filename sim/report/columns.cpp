#include "sim/report/columns.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <tuple>

#include "sim/report/layer_names.h"
#include "sim/report/operations.h"
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

// Which layers' weights broadcasts carry, as their roots know: those of each reach; and others by their number, which devices and hosts
// count alike.
class Sent {
 public:
  explicit Sent(std::span<const TracedExecution> models) {
    for (const TracedExecution& model : models) {
      operations_.emplace(model.model, model);
      for (const TracedRank& rank : model.ranks) note(model.model, rank.events);
    }
  }
  // Empty where that is not one layer.
  std::string of(const TracedStep& step) const {
    const auto found = layers_.find({step.model, step.step, what_of(step.about)});
    if (found != layers_.end()) return found->second.size() == 1 ? *found->second.begin() : std::string();
    return by_number(step);
  }

 private:
  // Of "broadcast #4 of all of model 1".
  std::string by_number(const TracedStep& step) const {
    const size_t number = step.operation.find(" #"), of = step.operation.find(" of ");
    const auto model = operations_.find(step.model);
    if (number == std::string::npos || of == std::string::npos || model == operations_.end()) return {};
    const std::string own = fmt::format(" of model {}", step.model);
    std::string group = step.operation.substr(of + 4);
    if (group.ends_with(own)) group.resize(group.size() - own.size());
    return model->second.layer_of({group, std::strtoll(step.operation.c_str() + number + 2, nullptr, 10)});
  }
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
  std::map<int64_t, Operations> operations_;                                           // by model
};

// Which cells are one of two accesses that nothing orders: "!3" is race 3. An operation that is done twice about the same thing on the
// same stream is marked twice.
class Marks {
 public:
  explicit Marks(const std::vector<TracedRace>& races) {
    for (const TracedRace& race : races)
      for (const TracedStep* access : {&race.first, &race.second}) numbers_[key(*access)].insert(race.number);
  }
  // " !3"; " !3+" where it is in others, too.
  std::string of(const TracedStep& step) const {
    const auto found = numbers_.find(key(step));
    if (found == numbers_.end()) return {};
    return fmt::format(" !{}{}", *found->second.begin(), found->second.size() > 1 ? "+" : "");
  }

 private:
  using Key = std::tuple<std::string, std::string, std::string>;
  static Key key(const TracedStep& step) { return {step.stream, step.operation, step.about}; }
  std::map<Key, std::set<int64_t>> numbers_;
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
      : run_(models.front()), options_(options), brief_(run_.series), sent_(models), marks_(run_.races) {
    for (const TracedStep& step : run_.timeline)
      if (options_.has_step(step.step) && options_.has_rank(step.rank)) steps_.push_back(&step);
    for (const TracedStep* step : steps_) {
      lanes_.try_emplace(lane_of(*step), 0);
      head_ = std::max(head_, row_number + step_words(*step).size());
    }
    head_ = std::min(head_, options_.width - least_width - between);
    leave_out();
    size_t at = 0;
    for (auto& [lane, column] : lanes_) column = at++;
  }

  std::string text() const {
    if (run_.timeline.empty()) return notice(fmt::format("no column for each stream: the world {} keeps no times", run_.world));
    if (lanes_.empty()) return "nothing was done on a device\n";
    std::string out = notice(brief_.legend()) + title();
    int64_t row = 0;
    std::string before;
    for (size_t i = 0; i < steps_.size(); ++row) {
      const size_t next = i + together(i);
      if (row == options_.most) return out + notice(fmt::format("… and {} more doings: --rows, --step", steps_.size() - i)) + left_out();
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
    return notice(fmt::format("{} more stream{} left out: --ranks says whose are shown, --width how much a line holds", left_out_,
                              left_out_ == 1 ? " is" : "s are"));
  }
  std::string notice(const std::string& text) const { return wrapped(text, options_.width); }
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
  // As much as there is room for: which layer it is about matters more than what is done about it, and that it races more than either.
  std::string word(const TracedStep& step) const {
    const std::string mark = marks_.of(step);
    return words(step, width() - std::min(width(), mark.size())) + mark;
  }
  std::string words(const TracedStep& step, size_t room) const {
    std::string operation = step.operation.starts_with("aten::") ? step.operation.substr(6) : step.operation;
    if (is_collective(step)) operation = operation.substr(0, operation.find(" of "));
    const std::string about = what_of(step.about), reached = brief_.layer_in(about), sent = is_collective(step) ? sent_.of(step) : "";
    std::string plain = operation;
    if (!sent.empty()) plain = fmt::format("{} {}", operation = operation.substr(0, operation.find(" #")), brief_(sent));
    for (const std::string& each : {brief_.in(about), brief_(reached)})
      if (!each.empty() && plain.size() + each.size() + 3 <= room) return fmt::format("{} ({})", plain, each);
    if (!sent.empty()) return in_room(operation, brief_.within(sent, room), " {}", room);
    return reached.empty() ? operation : in_room(operation, brief_.within(reached, room), " ({})", room);
  }
  // The layer, and as much of the operation as there is room for.
  static std::string in_room(const std::string& operation, const std::string& layer, const char* form, size_t room) {
    constexpr size_t operation_least = 3;
    const std::string behind = fmt::format(fmt::runtime(form), layer);
    return behind.size() + operation_least > room ? layer : shortened(operation, room - behind.size()) + behind;
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
  Marks marks_;
  size_t head_ = row_number + 4, left_out_ = 0;
  std::vector<const TracedStep*> steps_;
  std::map<Lane, size_t> lanes_;
};

}  // namespace

std::string columns_text(std::span<const TracedExecution> models, const ViewOptions& options) { return Columns(models, options).text(); }

}  // namespace reloadlab::sim
