#pragma once
// Where a campaign keeps what it finds: DIR/failing/, a scenario file for each cause, which says in its first lines what it shows and how
// to play it. A file is written under another name and renamed, so that what is there is whole whenever the campaign ends.
#include <filesystem>
#include <string>

#include "sim/fuzz/hunt.h"

namespace reloadlab::sim::fuzz {

// The file's name and its text, from which `replay` reads the candidate.
std::string file_name(const Found& found);
std::string file_text(const Found& found);
// The candidate that the text's first lines name; empty: none.
std::string candidate_in(std::string_view text);

// Code::failed: it cannot be written. Returns the file.
Result<std::filesystem::path> keep(const std::filesystem::path& store, const Found& found);

}  // namespace reloadlab::sim::fuzz
