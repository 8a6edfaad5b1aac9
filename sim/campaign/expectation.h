#pragma once
// What is known to fail, and how. One file per scenario, expectations/<system>/<scenario>.yaml, beside the scenario folders:
//
//   reloadlab: 1
//   scenario: repeated-shard
//   known:
//     - {candidate: layerwise@seed, law: written_once, rule: LW5, variants: ["ranks=2"], execution: warm, step: 1, tensor: qkv.weight}
//
// An entry names the first evidence against the law, so that a failure that moves is a new failure. What the run's seed draws is no
// part of it: `fault loader` is an execution with a fault in some loader call, whichever this seed strikes and whatever
// tensor shows it. Without `variants` it holds for
// every case of the scenario; with `worlds: [cuda]` in that world only, where real devices fail otherwise than modelled ones; with `when`
// under these conditions only. `rule` is the id of the rule or bug that explains it (rules.h), and a person writes it: `"?"` stands where
// nobody has yet, and excuses nothing. `reason` says more, in words that reports repeat.
//
// What comes and goes has no first evidence. It is in quarantine instead, until a day that is part of it; after that it fails:
//
//     - {candidate: layerwise@seed, law: same_again, quarantine: {until: 2026-12-31, reason: "the allocator is being mended"}}
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reference/base/status.h"
#include "sim/scenario/case.h"
#include "sim/scenario/diagnostics.h"

namespace reloadlab::sim {

// An execution's label without what the run's seed draws: "fault loader" of "fault loader 3", any other label as it is.
std::string_view lasting_execution(std::string_view label);
// Whether it stands for whichever execution the seed draws: then which tensor shows the failure is drawn, too.
bool is_drawn(std::string_view lasting);

struct Evidenced {
  std::string execution = "warm";  // lasting
  int step = -1;
  std::string tensor;
  bool operator==(const Evidenced&) const = default;
};

inline constexpr std::string_view kUnexplained = "?";

// What conditions are about, by their keys: {"torch", "2.11.0+cu130"}. What is not here is not so.
using Facts = std::map<std::string, std::string>;

// One kind of condition. A list of values holds where any of them fits.
struct ConditionKey {
  std::string_view key, meaning;
  bool number;  // a whole number, which has to be the fact; otherwise a version, of which the fact has all parts: 2.11 is 2.11.0+cu130
};
std::span<const ConditionKey> condition_keys();
// By key, as the file has them.
using Conditions = std::map<std::string, std::vector<std::string>>;
bool hold(const Conditions& conditions, const Facts& facts);
std::string conditions_text(const Conditions& conditions);  // "torch 2.11 or 2.12, ranks 2"; empty where there are none

struct Quarantine {
  std::string until, reason;  // the last day, "2026-12-31"
};
// Whether the text is a day of the calendar, written so.
bool is_day(std::string_view text);

struct Expectation {
  std::string candidate, law, rule;
  Evidenced first;
  std::vector<std::string> variants;  // empty: all
  std::vector<std::string> worlds;    // likewise
  Conditions when;                    // likewise
  std::string reason;                 // a person's; may be empty
  std::optional<Quarantine> quarantine;
  Position rule_at = {};  // where the file has the rule, or the quarantine
  bool explained() const { return rule != kUnexplained; }
  // "x.yaml:4:38" for a file at that path, as in messages about the file.
  std::string place(const std::filesystem::path& path) const;
  bool covers(std::string_view candidate_name, std::string_view law_id, std::string_view variant) const;
  bool covers_world(std::string_view world) const;
  // Whether there may be a case that both speak of.
  bool overlaps(const Expectation& other) const;
  // The reason, and under which conditions, for reports.
  std::string why() const;
};

std::vector<std::string> world_names();

struct ExpectationFile {
  std::string scenario;
  std::vector<Expectation> known;
  const Expectation* find(std::string_view candidate, std::string_view law, std::string_view variant, std::string_view world,
                          const Facts& facts) const;
};

// Names that an expectation may use; empty lists allow any.
struct ExpectationNames {
  std::vector<std::string> laws;
  std::vector<std::string> variants;  // of the scenario
  std::string scenario;
};

// Code::data with one file:line:column: message a line: unknown keys, laws, variants, two entries for the same failure, rules that do not
// exist.
Result<ExpectationFile> parse_expectations(std::string_view text, const std::string& file_name, const ExpectationNames& names);
// The keys of an entry as the table of scenarios/expectations/README.md: the one that the reader walks.
std::string expectations_markdown();
std::string expectations_text(const ExpectationFile& file);

// The file for the case's scenario: in the nearest folder `expectations` beside the scenario file or above it. Empty when there is none.
std::filesystem::path find_expectations(const Case& the_case);
// Where the file belongs: as above, or in a new folder beside the scenario folders.
std::filesystem::path place_expectations(const Case& the_case);

}  // namespace reloadlab::sim
