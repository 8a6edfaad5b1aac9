#include "sim/report/perfetto.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

namespace reloadlab::sim {
namespace {

using Json = nlohmann::ordered_json;

constexpr double picoseconds_a_microsecond = 1e6;

class Tracks {
 public:
  void add(const TracedExecution& run) {
    run_ = &run;
    for (const TracedRank& rank : run.ranks) host(rank);
    streams();
  }
  std::string text() const { return Json{{"displayTimeUnit", "ns"}, {"traceEvents", events_}}.dump() + "\n"; }

 private:
  // ---- hosts

  void host(const TracedRank& rank) {
    const int64_t process = open_process(fmt::format("rank {}, host", rank.number));
    name_thread(process, 0, "calls, in their order");
    std::vector<std::string> open;
    int64_t clock = 0;
    for (const TracedEvent& event : rank.events) take(process, event, clock++, open);
    for (; !open.empty(); open.pop_back()) put(process, 0, "E", open.back(), static_cast<double>(clock));
    int64_t step = 0;
    for (const TracedOutcome& outcome : rank.outcomes) {
      Json& counter = put(process, 0, "C", "bytes", static_cast<double>(ends_of(rank, outcome.step, step++)));
      counter["args"] = {{"held", outcome.live}, {"at most", outcome.peak}};
    }
  }

  // A pair *_begin, *_end is a slice; what does not end as it began (something failed there) ends with what is around it.
  void take(int64_t process, const TracedEvent& event, int64_t clock, std::vector<std::string>& open) {
    const std::string_view kind = event.event;
    const auto time = static_cast<double>(clock);
    if (kind.ends_with("_begin")) {
      open.emplace_back(kind.substr(0, kind.size() - 6));
      put(process, 0, "B", name_of(event, open.back()), time)["args"] = about(event);
    } else if (kind.ends_with("_end")) {
      const std::string ending(kind.substr(0, kind.size() - 4));
      if (std::ranges::find(open, ending) == open.end()) return;
      for (bool found = false; !found; open.pop_back()) {
        found = open.back() == ending;
        put(process, 0, "E", open.back(), time);
      }
    } else {
      Json& instant = put(process, 0, "i", name_of(event, event.event), time);
      instant["s"] = "t";
      instant["args"] = about(event);
    }
  }

  std::string name_of(const TracedEvent& event, const std::string& kind) const {
    if (kind == "step") return run_->step_name(event.step);
    const std::string& what = event.text.empty() ? event.layer : event.text;
    return what.empty() ? kind : kind + " " + what;
  }
  static Json about(const TracedEvent& event) {
    Json all = {{"step", event.step}};
    if (!event.layer.empty()) all["layer"] = event.layer;
    if (!event.text.empty()) all["text"] = event.text;
    if (event.numel != 0) all["numel"] = event.numel;
    return all;
  }
  static int64_t ends_of(const TracedRank& rank, int64_t step, int64_t otherwise) {
    for (size_t i = rank.events.size(); i > 0; --i)
      if (rank.events[i - 1].step == step) return static_cast<int64_t>(i);
    return otherwise;
  }

  // ---- streams

  void streams() {
    std::map<int, int64_t> processes;
    std::map<std::string, std::pair<int64_t, int64_t>> threads;  // by stream: process and number
    std::map<int64_t, Json> marked;                              // by point: where a flow begins
    std::map<std::string, std::vector<Json>> collectives;        // where each is executed, by operation
    for (const TracedStep& step : run_->timeline) {
      const auto [process, fresh] = processes.try_emplace(step.rank, 0);
      if (fresh) process->second = open_process(fmt::format("rank {}, streams", step.rank));
      const auto [thread, unknown] = threads.try_emplace(step.stream, process->second, static_cast<int64_t>(threads.size()));
      if (unknown) name_thread(process->second, thread->second.second, step.stream);
      const auto [pid, tid] = thread->second;
      Json& slice = put(pid, tid, "X", step.operation, microseconds(step.start));
      slice["dur"] = microseconds(step.end - step.start);
      slice["args"] = {{"about", step.about}};
      if (step.operation.find(" #") != std::string::npos)
        collectives[fmt::format("{} of model {}", step.operation, step.model)].push_back(place(pid, tid, step.start));
      points(marked, step, pid, tid);
    }
    for (const auto& [operation, places] : collectives) flow("collective", places);
  }

  static Json place(int64_t pid, int64_t tid, int64_t picoseconds) {
    return Json{{"pid", pid}, {"tid", tid}, {"ts", microseconds(picoseconds)}};
  }

  // An arrow from each to the next.
  void flow(const std::string& category, const std::vector<Json>& places) {
    if (places.size() < 2) return;
    ++flows_;
    for (size_t at = 0; at < places.size(); ++at) {
      const bool last = at + 1 == places.size();
      Json& part = put(places[at]["pid"], places[at]["tid"], at == 0 ? "s" : last ? "f" : "t", category, places[at]["ts"]);
      part["id"] = flows_;
      part["cat"] = category;
      if (last) part["bp"] = "e";  // to the slice that is there, not to the next one
    }
  }

  void points(std::map<int64_t, Json>& marked, const TracedStep& step, int64_t pid, int64_t tid) {
    if (step.point < 0) return;
    if (step.operation != "wait") {
      marked[step.point] = place(pid, tid, step.end);
      return;
    }
    const auto from = marked.find(step.point);
    if (from == marked.end() || from->second["tid"] == tid) return;  // a stream that waits for itself
    flow("point", {from->second, place(pid, tid, step.end)});
  }

  // ----

  static double microseconds(int64_t picoseconds) { return static_cast<double>(picoseconds) / picoseconds_a_microsecond; }

  int64_t open_process(const std::string& what) {
    const std::string model = run_->models > 1 ? fmt::format(", model {}", run_->model) : "";
    put(++processes_, 0, "M", "process_name",
        0)["args"] = {{"name", fmt::format("{}  {}  {}{}  {}", what, run_->candidate, run_->id, model, run_->execution)}};
    return processes_;
  }
  void name_thread(int64_t process, int64_t thread, const std::string& name) {
    put(process, thread, "M", "thread_name", 0)["args"] = {{"name", name}};
  }
  Json& put(int64_t process, int64_t thread, const char* phase, const std::string& name, double time) {
    events_.push_back({{"ph", phase}, {"pid", process}, {"tid", thread}, {"ts", time}, {"name", name}});
    return events_.back();
  }

  const TracedExecution* run_ = nullptr;
  Json events_ = Json::array();
  int64_t processes_ = 0, flows_ = 0;
};

}  // namespace

std::string perfetto_json(std::span<const TracedExecution* const> executions) {
  Tracks tracks;
  for (const TracedExecution* execution : executions) tracks.add(*execution);
  return tracks.text();
}

}  // namespace reloadlab::sim
