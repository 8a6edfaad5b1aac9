#include "sim/scenario/scenario.h"

#include "reference/base/check.h"
#include "tests/fuzz/readers.h"

namespace reloadlab::tests {

Status read_scenario(std::string_view bytes) {
  const auto cases = sim::parse_scenario(bytes, "x.yaml", {});
  if (!cases.ok()) return cases.status();
  (void)sim::lint(*cases);
  for (const sim::Case& one : *cases) {
    const std::string text = sim::emit(one);
    const auto again = sim::parse_scenario(text, "x.yaml", {});
    RELOADLAB_CHECK(again.ok(), again.status().message() + "\n" + text);
    RELOADLAB_CHECK(again->size() == 1 && sim::emit(again->front()) == text, text);
  }
  return {};
}

}  // namespace reloadlab::tests
