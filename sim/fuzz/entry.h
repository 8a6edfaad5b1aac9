#pragma once
// One finding as a file: a scenario, above which comments say what it shows and how to play it again.
//
//   # reloadlab replay AQlsYX…                       all of it in a word; where there is none, the file's name
//   # candidate  layerwise@seed
//   # cause      written_once, warm, reload, parameter
//   # seen       12
//   # smallest   yes
//   #   warm, rank 0, step 1: reload                 the finding
//   reloadlab: 1
//   …
#include <string>
#include <string_view>

#include "sim/fuzz/hunt.h"

namespace reloadlab::sim::fuzz {

struct Entry {
  std::string token, candidate;  // token: empty where the case was not drawn
  Cause cause;
  int64_t seen = 0;      // by so many cases, of all campaigns
  bool smallest = true;  // there is nothing left to try
  std::string finding;   // lines
  std::string scenario;  // the file's text below the comments
};

Entry entry_of(const Found& found);
// The case as the entry's scenario, which is named by the cause.
void set_scenario(Entry& entry, Case the_case);
// Code::data, "file:line: what was expected", for what is no entry.
Result<Entry> parse_entry(std::string_view text, const std::string& file_name);
std::string text(const Entry& entry);
// One for each cause and candidate: "written_once-reload-parameter-1f0c22d1".
std::string stem_of(const Entry& entry);
// A scenario file of any laws that there are.
Result<std::vector<Case>> parse_drawn(const std::string& text, const std::string& file_name);
// Code::data: it is no scenario of this schema.
Result<Case> case_of(const Entry& entry, const std::string& file_name);

// The candidate that the text's first lines name, whoever wrote the rest; empty: none.
std::string candidate_in(std::string_view text);

}  // namespace reloadlab::sim::fuzz
