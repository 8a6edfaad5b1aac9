#pragma once
// One case with one candidate, once: replay, judge, and what reports will want to show. What comes out is small; the evidence is gone.
#include <nlohmann/json_fwd.hpp>

#include "sim/campaign/engine.h"
#include "sim/evidence/behaviour.h"

namespace reloadlab::sim {

struct Job {
  Case the_case;
  std::string candidate;           // canonical
  bool prove_determinism = false;  // run once more and compare
  bool describe = false;           // the answer says what was done (sim/evidence/behaviour.h)
};

struct Answer {
  CaseResult result;         // as judged, before expectations
  std::string trace;         // lines of trace.jsonl: the warm execution, and those that findings name
  uint64_t print = 0;        // of everything seen, for comparing runs
  Behaviour behaviour = {};  // where the job asks for it, and there was an end that could be judged
};

// The case's own words, before anything has run.
CaseResult blank_result(const Job& job);
Answer unjudged(const Job& job, End end, std::string reason);
// A job whose process died or fell silent: the law `survives` is broken at `where`.
Answer lost(const Job& job, State state, const Finding& where);

// Never throws: what the harness throws becomes End::defect.
Answer attempt(const Job& job, const Engine& engine, const EngineOptions& options = {});
Answer judge_evidence(const Job& job, const Evidence& evidence, const Engine& engine);
// What a replay's failure means: unsupported is skipped, data is bad data, what was lost breaks the law `survives` at `where`, and
// anything else is a defect.
Answer failed_replay(const Job& job, const Status& status, const Finding& where);
// Whether nobody vouches any more for the process that the case was played in: a GPU's context, once lost, fails all that comes next.
bool spoils_its_process(const CaseResult& result);

// Of the registry, and those that are judged by whoever runs the case.
std::vector<std::string> judged_law_ids(const Engine& engine);
// All that verdicts may be of, with their sentences.
std::vector<LawText> judged_laws(const Engine& engine);

LawResult law_result(Verdict verdict);

// The law that the candidate comes back from every call. Every execution counts, also those in which something is made to fail: an
// injected fault must not become an exception that escapes.
LawResult survives(const Evidence& evidence);

// Where two runs of one seed first differ ("ranks/0/events/17/text"); empty when nowhere.
std::string first_difference(const Execution& one, const Execution& other);
std::string first_difference(const Answer& one, const Answer& other);

inline constexpr std::string_view kSameAgain = "same_again";
inline constexpr std::string_view kSameAgainSentence = "The same seed gives the same trace, byte for byte.";

}  // namespace reloadlab::sim
