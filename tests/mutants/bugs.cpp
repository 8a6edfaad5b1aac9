#include "tests/mutants/bugs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>
#include <sstream>

#include "sim/campaign/rules.h"

namespace reloadlab::mutants {
namespace {

const std::filesystem::path folder = std::filesystem::path(RELOADLAB_SOURCE_DIR) / "scenarios/bugs";

// Of bugs that cannot be said yet: what has to be there first.
constexpr struct { std::string_view id, needs; } kLater[] = {{"B15", "stream"}, {"B68", "ring"}, {"B69", "ring"}};

bool is_bug(std::string_view rule) { return (rule[0] == 'B' || rule[0] == 'L') && std::isdigit(static_cast<unsigned char>(rule[1])); }

// What a line says behind the word; nothing when it does not begin with it.
std::optional<std::string> behind(const std::string& line, std::string_view word) {
  if (!line.starts_with(word)) return std::nullopt;
  return line.substr(word.size());
}

Status read_shows(const std::string& line, Bug& bug) {
  const auto said = behind(line, "# shows: ");
  const size_t comma = said ? said->rfind(", ") : std::string::npos;
  if (comma == std::string::npos) return Status(Code::data, bug.name + ": the first line is to say \"# shows: CANDIDATE, LAW\"");
  bug.candidate = said->substr(0, comma);
  bug.law = said->substr(comma + 2);
  return {};
}

Status read_first(const std::string& line, Bug& bug) {
  const auto said = behind(line, "# first: step ");
  const size_t comma = said ? said->find(", ") : std::string::npos, colon = said ? said->find(": ") : std::string::npos;
  const bool parts = comma != std::string::npos && colon != std::string::npos && comma < colon;
  if (!parts || std::from_chars(said->data(), said->data() + comma, bug.step).ptr != said->data() + comma)
    return Status(Code::data, bug.name + ": the second line is to say \"# first: step N, TENSOR: WORDS\", with - for no tensor");
  bug.tensor = said->substr(comma + 2, colon - comma - 2);
  if (bug.tensor == "-") bug.tensor.clear();
  bug.words = said->substr(colon + 2);
  return bug.words.empty() ? Status(Code::data, bug.name + ": the evidence has no words") : Status();
}

Result<Bug> read_bug(const std::filesystem::path& file) {
  Bug bug{.name = file.stem().string()};
  for (char c : bug.name.substr(0, bug.name.find('_'))) bug.id += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string shows, first;
  std::ifstream in(file);
  std::getline(in, shows);
  std::getline(in, first);
  RELOADLAB_TRY(read_shows(shows, bug));
  RELOADLAB_TRY(read_first(first, bug));
  return bug;
}

Status add(Bugs& bugs, Bug bug) {
  if (!sim::is_rule(bug.id) || !is_bug(bug.id)) return Status(Code::data, bug.id + " is no bug of the list");
  const std::string id = bug.id;
  return bugs.emplace(id, std::move(bug)).second ? Status() : Status(Code::data, id + " has two rows");
}

}  // namespace

std::filesystem::path Bug::file() const { return folder / (name + ".yaml"); }

Result<Bugs> read_bugs() {
  Bugs bugs;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    RELOADLAB_ASSIGN(Bug bug, read_bug(entry.path()));
    RELOADLAB_TRY(add(bugs, std::move(bug)));
  }
  for (const auto& [id, needs] : kLater) RELOADLAB_TRY(add(bugs, {.id = std::string(id), .needs = std::string(needs)}));
  for (std::string_view rule : sim::rule_ids())
    if (is_bug(rule) && !bugs.contains(std::string(rule))) return Status(Code::data, std::string(rule) + " has no row");
  return bugs;
}

std::string bugs_table(const Bugs& bugs) {
  std::string text = "| bug | needs | scenario | mutant or policy | law |\n|---|---|---|---|---|\n";
  for (const auto& [id, bug] : bugs) {
    if (!bug.has_file()) {
      text += fmt::format("| {} | {} | | | |\n", id, bug.needs);
      continue;
    }
    text += fmt::format("| {} | {} | [{}]({}.yaml) | `{}` | `{}` |\n", id, bug.needs, bug.name.substr(bug.name.find('_') + 1), bug.name,
                        bug.candidate, bug.law);
  }
  return text;
}

bool is_first(const Bug& bug, const sim::Finding& finding) {
  const std::string told = finding.what + " | " + finding.first + " | " + finding.why;
  return finding.step == bug.step && finding.tensor == bug.tensor && told.find(bug.words) != std::string::npos;
}

}  // namespace reloadlab::mutants
