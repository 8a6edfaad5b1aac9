#include "sim/import/config.h"

#include "reference/base/check.h"
#include "reference/model/architecture/architecture.h"
#include "tests/fuzz/readers.h"

namespace reloadlab::tests {

Status read_config(std::string_view bytes) {
  const auto config = sim::read_config(as_file("config.json", bytes));
  if (!config.ok()) return config.status();
  RELOADLAB_CHECK(model::find_architecture(config->spec.architecture) != nullptr, config->spec.architecture);
  return {};
}

}  // namespace reloadlab::tests
