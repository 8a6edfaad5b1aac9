#pragma once
// The hazards of a ring of windows, each with a scenario that has it. A file's first lines say what becomes of it, by candidate, and
// which mutants have what the hazard is about, with a law that kills each:
//
//   # hazard: H9, shared_series@hardened, refuses misuse
//   # kills: mutant@ring_trusting, ring_content
//
// It survives, or it refuses with that code on every rank, or the hazard is outside the contract and that law detects it.
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "reference/base/status.h"

namespace reloadlab::mutants {

struct HazardOutcome {
  std::string candidate;  // "shared_series@hardened,binding=static"
  enum class Kind { survives, refuses, outside } kind = Kind::survives;
  std::string by;  // the code or the law
};
struct Kill {
  std::string mutant, law;  // "mutant@ring_trusting", "ring_content"
};
// One scenario.
struct HazardFile {
  std::string name;                                           // "skipped_layer"
  std::map<std::string, std::vector<HazardOutcome>> hazards;  // by id
  std::vector<Kill> kills;
  std::filesystem::path path() const;
};

// Files that say something, by name. Code::data where a line is not as it has to be, or an id is none of the list.
Result<std::vector<HazardFile>> read_hazards();
// Every id of the list.
std::vector<std::string> hazard_ids();
// What the README has between its marks.
std::string hazards_table(const std::vector<HazardFile>& files);

}  // namespace reloadlab::mutants
