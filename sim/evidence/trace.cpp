#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "sim/evidence/store.h"
#include "sim/evidence/text.h"

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

void append_event(std::string& out, const Evidence& evidence, const Event& event) {
  put(out, "event", event_name(event.kind));
  put(out, "step", event.step);
  if (event.load >= 0) put(out, "load", event.load);
  if (event.layer >= 0 && static_cast<size_t>(event.layer) < evidence.layers.size())
    put(out, "layer", evidence.layers[static_cast<size_t>(event.layer)]);
  if (event.numel) put(out, "numel", event.numel);
  if (event.value) put(out, "value", event.value);
  if (!event.text.empty()) put(out, "text", event.text);
}

}  // namespace

void append_trace(std::string& out, const Evidence& evidence, const Execution& execution, std::string_view id) {
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
      append_event(out, evidence, event);
      out += "}\n";
    }
  }
}

}  // namespace reloadlab::sim
