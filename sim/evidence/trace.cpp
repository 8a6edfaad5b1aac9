#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "sim/evidence/ledger.h"
#include "sim/evidence/store.h"
#include "sim/evidence/text.h"
#include "sim/scenario/spelling.h"

namespace reloadlab::sim {
namespace {

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
}

// A trace has hundreds of thousands of lines; nearly all text in them stands for itself.
void quote(std::string& out, std::string_view text) {
  if (!is_plain(text)) {
    out += nlohmann::json(valid_utf8(text)).dump();
    return;
  }
  out += '"';
  out += text;
  out += '"';
}

void key(std::string& out, std::string_view name) {
  out += out.back() == '{' ? "\"" : ",\"";
  out += name;
  out += "\":";
}

void put(std::string& out, std::string_view name, std::string_view text) { key(out, name), quote(out, text); }

void put(std::string& out, std::string_view name, int64_t number) {
  key(out, name);
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

void append_event(std::string& out, const Evidence& evidence, const RankRun& run, const Event& event) {
  put(out, "event", event_name(event.kind));
  put(out, "step", event.step);
  if (event.load >= 0) put(out, "load", event.load);
  if (event.layer >= 0 && static_cast<size_t>(event.layer) < evidence.layers.size())
    put(out, "layer", evidence.layers[static_cast<size_t>(event.layer)]);
  if (event.numel) put(out, "numel", event.numel);
  if (event.value) put(out, "value", event.value);
  if (event.kind == EventKind::read) put(out, "storage", run.reads.at(static_cast<size_t>(event.value)).storage);
  if (!event.text.empty()) put(out, "text", event.text);
}

void put_access(std::string& out, std::string_view name, const RankRun::Access& access) {
  key(out, name);
  out += '{';
  put(out, "stream", access.stream);
  put(out, "operation", access.operation);
  put(out, "about", access.about);
  if (access.step >= 0) put(out, "step", access.step);
  key(out, "writes");
  out += access.writes ? "true}" : "false}";
}

void append_races(std::string& out, const Evidence& evidence, const Execution& execution) {
  for (size_t rank = 0; rank < execution.ranks.size(); ++rank)
    for (const RankRun::Race& race : execution.ranks[rank].races) {
      out += '{';
      put(out, "race", race.number);
      put(out, "rank", evidence.number(rank));
      put_access(out, "first", race.earlier());
      put_access(out, "second", race.later());
      if (!race.witness.empty()) put(out, "witness", race.witness);
      if (!race.reader.empty()) put(out, "reader", race.reader);
      if (!race.schedule.empty()) put(out, "schedule", race.schedule);
      out += "}\n";
    }
}

template <class T, class Put>
void put_list(std::string& out, std::string_view name, const std::vector<T>& list, Put&& put_one) {
  key(out, name);
  out += '[';
  for (const T& one : list) {
    if (out.back() != '[') out += ',';
    put_one(one);
  }
  out += ']';
}

// What tells whose steps, layers and windows the lines that follow are about.
void append_head(std::string& out, const Evidence& evidence, const Execution& execution, std::string_view id) {
  out += '{';
  put(out, "case", id);
  put(out, "candidate", evidence.candidate);
  put(out, "execution", execution.variation.label());
  put(out, "world", spell(world_spellings, evidence.the_case.world));
  put(out, "model", execution.variation.index);
  put(out, "models", evidence.the_case.models);
  put_list(out, "steps", execution.steps, [&](const Step& step) { quote(out, spell(step_spellings, step.kind)); });
  put_list(out, "series", evidence.the_case.series, [&](const SeriesSpec& series) {
    out += '{';
    put(out, "name", series.name);
    put(out, "prefetch", series.prefetch);
    put_list(out, "layers", series.layers, [&](const std::string& layer) { quote(out, layer); });
    out += '}';
  });
  out += "}\n";
}

void append_places(std::string& out, const RankRun& run) {
  for (const PlaceChange& change : place_changes(run)) {
    out += '{';
    put(out, "place", change.place);
    put(out, "step", change.step);
    put(out, "tensor", change.tensor);
    out += "}\n";
  }
}

void append_outcomes(std::string& out, const RankRun& run) {
  for (const StepOutcome& outcome : run.outcomes) {
    out += '{';
    put(out, "outcome", outcome.status.ok() ? std::string_view("ok") : std::string_view(outcome.status.message()));
    put(out, "step", outcome.step);
    put(out, "peak", outcome.peak_bytes);
    put(out, "live", outcome.live_bytes);
    out += "}\n";
  }
}

void append_timeline(std::string& out, const Evidence& evidence, const Execution& execution, std::string_view id) {
  if (execution.timeline.empty()) return;
  out += '{';
  put(out, "case", id);
  put(out, "candidate", evidence.candidate);
  put(out, "execution", execution.variation.label());
  put(out, "timeline", static_cast<int64_t>(execution.timeline.size()));
  out += "}\n";
  for (const StreamStep& step : execution.timeline) {
    out += '{';
    put(out, "rank", step.rank);
    put(out, "stream", step.stream);
    put(out, "operation", step.operation);
    if (!step.about.empty()) put(out, "about", step.about);
    if (step.step >= 0) put(out, "step", step.step);
    if (step.model > 0) put(out, "model", step.model);
    put(out, "start", step.start);
    put(out, "end", step.end);
    if (step.point >= 0) put(out, "point", step.point);
    out += "}\n";
  }
  append_races(out, evidence, execution);
}

}  // namespace

void append_trace(std::string& out, const Evidence& evidence, const Execution& execution, std::string_view id) {
  append_head(out, evidence, execution, id);
  for (size_t rank = 0; rank < execution.ranks.size(); ++rank) {
    out += '{';
    put(out, "case", id);
    put(out, "candidate", evidence.candidate);
    put(out, "execution", execution.variation.label());
    put(out, "rank", evidence.number(rank));
    out += "}\n";
    int64_t clock = 0;
    for (const Event& event : execution.ranks[rank].events) {
      out += '{';
      put(out, "clock", clock++);
      append_event(out, evidence, execution.ranks[rank], event);
      out += "}\n";
    }
    append_outcomes(out, execution.ranks[rank]);
    append_places(out, execution.ranks[rank]);
  }
  append_timeline(out, evidence, execution, id);
}

}  // namespace reloadlab::sim
