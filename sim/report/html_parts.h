#pragma once
// Parts of report.html about one rank of one execution. The document escapes what they are given.
#include <pugixml.hpp>
#include <string>
#include <vector>

#include "sim/report/trace_file.h"

namespace reloadlab::sim {

pugi::xml_node add(pugi::xml_node parent, const char* kind, const std::string& text = {}, const std::string& css_class = {});
// Rows below a row of headings.
pugi::xml_node add_table(pugi::xml_node parent, const std::vector<std::string>& heading);

// Bytes that the rank held at the end of each step, within those that it held at most, as a drawing with a bar for each step.
void add_memory(pugi::xml_node parent, const TracedExecution& run, const TracedRank& rank);
// Each tensor's place before and behind the step; those that moved stand first. Nothing where no tensor was seen.
void add_ledger(pugi::xml_node parent, const TracedExecution& run, const TracedRank& rank, int64_t step);
// Rows are reaches, columns slots. Nothing for a rank without windows.
void add_ring(pugi::xml_node parent, const TracedExecution& run, const TracedSeries& series, const TracedRank& rank);

}  // namespace reloadlab::sim
