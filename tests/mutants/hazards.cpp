#include "tests/mutants/hazards.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <fstream>

namespace reloadlab::mutants {
namespace {

const std::filesystem::path hazards_folder = std::filesystem::path(RELOADLAB_SOURCE_DIR) / "scenarios/shared_series";
constexpr std::string_view kHazard = "# hazard: ", kKills = "# kills: ", kHardened = "shared_series@hardened";
// Numbers that the list leaves out were about something else than a ring.
constexpr int kLast = 44;
constexpr std::array kAbsent = {12, 20, 36, 39, 42};

using Kind = HazardOutcome::Kind;
constexpr std::array<std::pair<Kind, std::string_view>, 3> kWords{
    {{Kind::survives, "survives"}, {Kind::refuses, "refuses "}, {Kind::outside, "outside "}}};

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  for (size_t comma = text.find(", "); comma != std::string_view::npos; comma = text.find(", ")) {
    parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(comma + 2);
  }
  parts.emplace_back(text);
  return parts;
}

Status read_hazard(std::string_view line, HazardFile& file) {
  const std::vector<std::string> parts = split(line);
  const std::vector<std::string> ids = hazard_ids();
  for (const auto& [kind, word] : kWords) {
    if (parts.size() != 3 || !parts[2].starts_with(word)) continue;
    if (std::ranges::find(ids, parts[0]) == ids.end()) return {Code::data, fmt::format("{}: {} is no hazard", file.name, parts[0])};
    file.hazards[parts[0]].push_back({parts[1], kind, parts[2].substr(word.size())});
    return {};
  }
  return {Code::data, fmt::format("{}: expected \"{}ID, CANDIDATE, survives | refuses CODE | outside LAW\"", file.name, kHazard)};
}

Status read_kills(std::string_view line, HazardFile& file) {
  const std::vector<std::string> parts = split(line);
  if (parts.size() != 2) return {Code::data, fmt::format("{}: expected \"{}MUTANT, LAW\"", file.name, kKills)};
  file.kills.push_back({parts[0], parts[1]});
  return {};
}

Result<HazardFile> read_file(const std::filesystem::path& path) {
  HazardFile file{.name = path.stem().string()};
  std::ifstream in(path);
  for (std::string line; std::getline(in, line) && line.starts_with('#');) {
    const std::string_view text = line;
    if (text.starts_with(kHazard)) RELOADLAB_TRY(read_hazard(text.substr(kHazard.size()), file));
    if (text.starts_with(kKills)) RELOADLAB_TRY(read_kills(text.substr(kKills.size()), file));
  }
  return file;
}

std::string hazards_told(const HazardOutcome& outcome) {
  const auto word = std::ranges::find(kWords, outcome.kind, &std::pair<Kind, std::string_view>::first)->second;
  return outcome.by.empty() ? std::string(word) : fmt::format("{}`{}`", word, outcome.by);
}

// Of the hardened profile as it is, or with what stands behind it.
std::string hazards_told(const std::vector<HazardOutcome>& outcomes, std::string_view behind) {
  for (const HazardOutcome& each : outcomes)
    if (each.candidate == fmt::format("{}{}", kHardened, behind)) return hazards_told(each);
  return {};
}

std::string hazards_told(const std::vector<Kill>& kills) {
  std::vector<std::string> all;
  for (const Kill& each : kills) all.push_back(fmt::format("`{}` by `{}`", each.mutant.substr(each.mutant.find('@') + 1), each.law));
  return fmt::format("{}", fmt::join(all, ", "));
}

}  // namespace

std::filesystem::path HazardFile::path() const { return hazards_folder / (name + ".yaml"); }

std::vector<std::string> hazard_ids() {
  std::vector<std::string> ids;
  for (int id = 1; id <= kLast; ++id)
    if (std::ranges::find(kAbsent, id) == kAbsent.end()) ids.push_back(fmt::format("H{}", id));
  return ids;
}

Result<std::vector<HazardFile>> read_hazards() {
  std::vector<HazardFile> files;
  for (const auto& entry : std::filesystem::directory_iterator(hazards_folder)) {
    if (entry.path().extension() != ".yaml") continue;
    RELOADLAB_ASSIGN(HazardFile file, read_file(entry.path()));
    if (!file.hazards.empty() || !file.kills.empty()) files.push_back(std::move(file));
  }
  std::ranges::sort(files, {}, &HazardFile::name);
  return files;
}

std::string hazards_table(const std::vector<HazardFile>& files) {
  std::string text = "| hazard | scenario | hardened | with static binding | mutants, killed by |\n|---|---|---|---|---|\n";
  for (const std::string& id : hazard_ids())
    for (const HazardFile& file : files)
      if (const auto found = file.hazards.find(id); found != file.hazards.end())
        text += fmt::format("| {} | [{}]({}.yaml) | {} | {} | {} |\n", id, file.name, file.name, hazards_told(found->second, ""),
                            hazards_told(found->second, ",binding=static"), hazards_told(file.kills));
  return text;
}

}  // namespace reloadlab::mutants
