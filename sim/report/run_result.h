#pragma once
// A run as its reports see it: what every case came to with every candidate, after the expectation files have had their say.
// Plain data. Whatever differs between two runs of the same seed (time, host, folder, durations) is in RunInfo and
// CaseResult::seconds, and nowhere else.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/evidence/costs.h"
#include "sim/law/law.h"

namespace reloadlab::sim {

// What a law says about one case with one candidate, once expectations are known.
enum class State {
  pass,
  fail,
  known,            // fails exactly as the expectation file says
  unexpected_pass,  // the expectation file says that it fails
  inconclusive,     // nothing could be compared
  unsupported,      // the law cannot be judged here, and that is fine
  flaky,            // two runs of one seed differ
  hang,             // no step began for too long
  quarantined,      // fails, or differs from run to run, and the expectation file lets it until a day that has not passed
};
inline constexpr State kStates[] = {State::pass,        State::fail,  State::known, State::unexpected_pass, State::inconclusive,
                                    State::unsupported, State::flaky, State::hang,  State::quarantined};
std::string_view state_name(State state);
std::optional<State> state_from_name(std::string_view name);

// The last things that a rank did before a law broke, oldest first, in words.
struct RankTail {
  int rank = 0;
  std::vector<std::string> events;
};

struct LawResult {
  std::string law;
  State state = State::pass;
  std::string reason;              // inconclusive, unsupported, flaky, quarantined; fail: how it differs from what was expected; known: why
  std::string rule;                // of the expectation that named this law here
  std::optional<Finding> finding;  // fail, known, hang; not of what is judged without evidence
  std::string step_text;           // of the finding: "reload to B"
  std::optional<Position> at;      // where the scenario file has that step
  std::vector<RankTail> tail;      // of the finding
  int64_t checks = 0;
};

// How the attempt to run a case ended.
enum class End {
  judged,
  skipped,   // nothing ran, for a reason that is nobody's fault
  bad_data,  // a checkpoint is missing, malformed or does not fit
  defect,    // the harness broke
};
std::string_view end_name(End end);
std::optional<End> end_from_name(std::string_view name);

struct CaseResult {
  std::string scenario, variant, file, system, candidate, world;
  int ranks = 1;
  std::vector<std::string> tags;
  End end = End::judged;
  std::string reason;  // of every end but judged
  std::vector<LawResult> laws;
  std::vector<std::string> notes;
  std::optional<Costs> costs;       // none: it was not played to an end that could be judged
  std::vector<std::string> probes;  // situations that it met (sim/law/probes.h)
  std::string failing;              // "failing/x.yaml" in the run's folder, for cases that need looking at
  double seconds = 0;

  std::string id() const { return variant.empty() ? scenario : scenario + "[" + variant + "]"; }
};

struct LawText {
  std::string id, sentence;
};

struct RunInfo {
  std::string started;  // "20261122T021533Z"
  double seconds = 0;
  std::string host;
  std::string folder;  // "out/20261122T021533Z-scenarios"
  int jobs = 1;
  std::string program = "reloadlab";  // as it was called, for lines to paste
  std::vector<int64_t> left_on_gpus;  // bytes in use on each GPU beyond those before the run; empty where it used none
  std::string shard;                  // "2 of 8 (--shard)"; empty: all of it
  std::string options;                // that a line to paste needs to come to the same: "--isolate --hang-after 5s"
};

// What holding the run against an earlier one came to, beside the verdicts of the law `within_baseline`. Cases are "candidate case".
struct BaselineReport {
  std::string file;
  std::map<std::string, std::string> stands_for;  // candidate there → candidate here, where these have different names
  int64_t compared = 0, worse = 0, better = 0;    // cases; one may be both
  std::vector<std::string> only_there, only_here;
};

struct RunResult {
  std::string name;  // "scenarios"
  uint64_t seed = 0;
  std::vector<LawText> laws;  // the columns, in registry order
  std::vector<CaseResult> cases;
  std::optional<BaselineReport> baseline;  // none: there was nothing to hold it against
  RunInfo run;
};

// The law that a dead or silent worker breaks; it is judged by whoever runs the case, not from evidence.
inline constexpr std::string_view kSurvives = "survives";
inline constexpr std::string_view kSurvivesSentence = "The candidate comes back from every call: no exception, no crash, no hang.";

// The law that is judged where there is a baseline, from the counters of both runs.
inline constexpr std::string_view kWithinBaseline = "within_baseline";
inline constexpr std::string_view kWithinBaselineSentence = "No exact cost counter is above the baseline's.";

bool needs_attention(State state);  // fail, hang, flaky, unexpected_pass, inconclusive
std::map<State, int64_t> count_states(const RunResult& result);
std::map<End, int64_t> count_ends(const RunResult& result);

// What the program exits with. Every code but those of CLI usage can come from here.
enum class Exit {
  held = 0,
  failed = 1,
  inconclusive = 2,
  flaky = 3,
  nothing_ran = 4,
  unexpected_pass = 5,
  hang = 6,
  usage = 64,
  bad_scenario = 65,
  defect = 70,
};
// The first that applies of 70, 6, 1, 5, 3, 2, 65, 4; else 0: what was judged says more than what could not be read, and what could not be
// read is never held.
Exit exit_code(const RunResult& result);

}  // namespace reloadlab::sim
