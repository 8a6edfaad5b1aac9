#include "sim/report/trace_file.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace reloadlab::sim {
namespace {

using ReadJson = nlohmann::json;

std::string text_of(const ReadJson& line, const char* key) { return line.contains(key) ? line[key].get<std::string>() : std::string(); }
int64_t number_of(const ReadJson& line, const char* key, int64_t otherwise = 0) {
  return line.contains(key) ? line[key].get<int64_t>() : otherwise;
}

TracedStep step_of(const ReadJson& line) {
  return {.rank = static_cast<int>(number_of(line, "rank", -1)),
          .stream = text_of(line, "stream"),
          .operation = text_of(line, "operation"),
          .about = text_of(line, "about"),
          .step = number_of(line, "step", -1),
          .model = number_of(line, "model"),
          .start = number_of(line, "start"),
          .end = number_of(line, "end"),
          .point = number_of(line, "point", -1)};
}

TracedExecution read_execution(const ReadJson& line) {
  TracedExecution one{.id = text_of(line, "case"),
                      .candidate = text_of(line, "candidate"),
                      .execution = text_of(line, "execution"),
                      .world = text_of(line, "world"),
                      .model = number_of(line, "model"),
                      .models = number_of(line, "models", 1),
                      .steps = line.value("steps", std::vector<std::string>())};
  for (const ReadJson& each : line["series"])
    one.series.push_back({text_of(each, "name"), number_of(each, "prefetch"), each.value("layers", std::vector<std::string>())});
  return one;
}

class TraceReader {
 public:
  explicit TraceReader(const std::set<std::string>& ids) : ids_(ids) {}

  // Of a line that says whose the next ones are: they belong to none of the cases.
  bool passes_over() const { return !open_; }

  void take(const ReadJson& line) {
    if (line.contains("case")) return begin(line);
    if (!open_) return;
    if (line.contains("race")) {
      open_->races.push_back({number_of(line, "race") + 1, static_cast<int>(number_of(line, "rank", -1)), step_of(line["first"]),
                              step_of(line["second"]), line["first"].value("writes", false), line["second"].value("writes", false),
                              text_of(line, "witness"), text_of(line, "reader"), text_of(line, "schedule")});
    } else if (line.contains("stream")) {
      open_->timeline.push_back(step_of(line));
    } else if (!open_->ranks.empty()) {
      take_of_rank(line, open_->ranks.back());
    }
  }
  std::vector<TracedExecution> done() { return std::move(all_); }

 private:
  void begin(const ReadJson& line) {
    const std::string id = text_of(line, "case"), candidate = text_of(line, "candidate"), execution = text_of(line, "execution");
    open_ = nullptr;
    if (!ids_.contains(id)) return;
    if (line.contains("series")) all_.push_back(read_execution(line));
    if (all_.empty() || all_.back().candidate != candidate || all_.back().execution != execution) return;  // no trace of this program
    open_ = &all_.back();
    if (line.contains("rank")) open_->ranks.push_back({.number = static_cast<int>(number_of(line, "rank"))});
  }

  static void take_of_rank(const ReadJson& line, TracedRank& rank) {
    const int64_t step = number_of(line, "step", -1);
    if (line.contains("outcome")) {
      rank.outcomes.push_back({step, text_of(line, "outcome"), number_of(line, "peak"), number_of(line, "live")});
    } else if (line.contains("place")) {
      rank.places.push_back({step, text_of(line, "tensor"), text_of(line, "place")});
    } else {
      rank.events.push_back({text_of(line, "event"), text_of(line, "layer"), text_of(line, "text"), step, number_of(line, "numel"),
                             number_of(line, "value"), number_of(line, "storage", -1)});
    }
  }

  const std::set<std::string>& ids_;
  std::vector<TracedExecution> all_;
  TracedExecution* open_ = nullptr;
};

}  // namespace

std::string TracedExecution::step_name(int64_t step) const {
  const bool known = step >= 0 && static_cast<size_t>(step) < steps.size();
  return known ? fmt::format("{} {}", step, steps[static_cast<size_t>(step)]) : fmt::format("{}", step);
}

Result<std::vector<TracedExecution>> read_trace(const std::filesystem::path& file, const std::set<std::string>& ids) {
  std::ifstream in(file);
  if (!in) return Status(Code::data, fmt::format("{}: cannot be read, expected a trace", file.string()));
  TraceReader reader(ids);
  std::string text;
  for (int64_t number = 1; std::getline(in, text); ++number) {
    if (reader.passes_over() && !text.starts_with("{\"case\"")) continue;  // most lines of a long run
    const ReadJson line = ReadJson::parse(text, nullptr, false);
    if (!line.is_object()) return Status(Code::data, fmt::format("{}:{}: expected a JSON object", file.string(), number));
    try {
      reader.take(line);
    } catch (const ReadJson::exception& error) {
      return Status(Code::data, fmt::format("{}:{}: {}", file.string(), number, error.what()));
    }
  }
  return reader.done();
}

}  // namespace reloadlab::sim
