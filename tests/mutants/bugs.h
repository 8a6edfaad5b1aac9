#pragma once
// The rows of scenarios/bugs: one a file, and one for each bug that no scenario can say yet. A file's first lines are what shows the bug:
//
//   # shows: layerwise@seed, cold_load_equal
//   # first: step 1, up.bias: never written
//
// the candidate and the law that must fail, and the first evidence against it: its step, its tensor (- for none) and words of the
// finding. A bug that shows for another reason than its own is no longer shown.
#include <filesystem>
#include <map>
#include <string>

#include "sim/law/law.h"

namespace reloadlab::mutants {

struct Bug {
  std::string id, name;           // "B03", "b03_copy_and_transform_count_twice"
  std::string needs = "nothing";  // what the table says, beyond the substrate and a transport in one process
  std::string candidate, law;     // "layerwise@seed", "cold_load_equal"; empty without a file
  int step = -1;
  std::string tensor, words;
  bool has_file() const { return !name.empty(); }
  std::filesystem::path file() const;
};

using Bugs = std::map<std::string, Bug>;

// Every file, and every bug that is kept for later. Code::data for a file whose first lines do not say what they have to, for a bug that
// has two rows, and for one that is not on the list or has none.
Result<Bugs> read_bugs();
// What the README has between its marks.
std::string bugs_table(const Bugs& bugs);
// Whether this is the evidence that the file names.
bool is_first(const Bug& bug, const sim::Finding& finding);

}  // namespace reloadlab::mutants
