#include "reference/base/check.h"
#include "sim/campaign/expectation.h"
#include "tests/fuzz/readers.h"

namespace reloadlab::tests {

Status read_expectations(std::string_view bytes) {
  const auto file = sim::parse_expectations(bytes, "x.yaml", {});
  if (!file.ok()) return file.status();
  const std::string text = sim::expectations_text(*file);
  const auto again = sim::parse_expectations(text, "x.yaml", {});
  RELOADLAB_CHECK(again.ok(), again.status().message() + "\n" + text);
  RELOADLAB_CHECK(sim::expectations_text(*again) == text, text);
  return {};
}

}  // namespace reloadlab::tests
