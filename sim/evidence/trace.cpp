#include <nlohmann/json.hpp>
#include <ostream>

#include "sim/evidence/store.h"
#include "sim/evidence/text.h"

namespace reloadlab::sim {
namespace {

nlohmann::ordered_json line_of(const Evidence& evidence, const Event& event) {
  nlohmann::ordered_json line{{"event", event_name(event.kind)}, {"step", event.step}};
  if (event.load >= 0) line["load"] = event.load;
  if (event.layer >= 0 && static_cast<size_t>(event.layer) < evidence.layers.size())
    line["layer"] = valid_utf8(evidence.layers[static_cast<size_t>(event.layer)]);
  if (event.numel) line["numel"] = event.numel;
  if (event.value) line["value"] = event.value;
  if (!event.text.empty()) line["text"] = valid_utf8(event.text);
  return line;
}

}  // namespace

void write_trace(std::ostream& out, const Evidence& evidence, std::string_view id) {
  for (const Execution& execution : evidence.executions) {
    for (size_t rank = 0; rank < execution.ranks.size(); ++rank) {
      int64_t clock = 0;
      for (const Event& event : execution.ranks[rank].events) {
        nlohmann::ordered_json line{{"case", valid_utf8(id)},
                                    {"candidate", valid_utf8(evidence.candidate)},
                                    {"execution", valid_utf8(execution.variation.label())},
                                    {"rank", rank},
                                    {"clock", clock++}};
        line.update(line_of(evidence, event));
        out << line.dump() << '\n';
      }
    }
  }
}

}  // namespace reloadlab::sim
