#include "sim/campaign/engine.h"

namespace reloadlab::sim {

std::vector<std::string> Engine::law_ids() const {
  std::vector<std::string> ids;
  for (const LawText& law : laws) ids.push_back(law.id);
  return ids;
}

}  // namespace reloadlab::sim
