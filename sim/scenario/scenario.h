#pragma once
// Reads scenario files. The grammar is one table (schema.h): parser, documentation, JSON Schema and lint all walk it.
// Every error says file:line:column, what was expected, and the nearest valid spelling; a file with an error yields no case.
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "reference/base/status.h"
#include "sim/scenario/case.h"

namespace reloadlab::sim {

struct ParseOptions {
  uint64_t seed = 0;
  std::vector<std::string> known_laws;  // ids that `laws:` may name
  std::string cache_dir;                // value of ${CACHE} in paths: where ci/setup put models
};

// All cases of one file (lists under world and vary multiply), or Code::data with every error found, one a line.
Result<std::vector<Case>> parse_scenario(std::string_view text, const std::string& file_name, const ParseOptions& options);
Result<std::vector<Case>> read_scenario(const std::filesystem::path& file, const ParseOptions& options);

// Scenario files below the given paths, sorted; a path that is a file stands for itself. expectations/ is not a scenario folder.
Result<std::vector<std::filesystem::path>> find_scenarios(const std::vector<std::string>& paths);
// A folder of scenarios that came with the program: what "scenarios/…" means where the current folder has none of that name.
void supply_scenarios(const std::filesystem::path& folder);

// Things that parse but are probably not meant (a checkpoint never used, a tag misspelt, a law that cannot be judged here …).
std::vector<std::string> lint(const std::vector<Case>& cases);

// Code::data with a line for each file that has the scenario name of another: expectations, reports and file names go by it.
Status check_names_unique(const std::vector<Case>& cases);

// The table as JSON Schema (draft 2020-12) and as the key list of scenarios/README.md.
std::string json_schema();
std::string schema_markdown();

// The case as a scenario file that expands into exactly this case.
std::string emit(const Case& the_case);
// The case as a scenario of its own, whose name holds the variant: "small.ranks-2" of small[ranks=2].
Case alone(Case the_case);
// The case as a scenario over these numbers of ranks, at least one, without what only a resolved case says (seed, variant, expectation).
std::string emit_over_ranks(const Case& the_case, const std::vector<int>& ranks);

}  // namespace reloadlab::sim
