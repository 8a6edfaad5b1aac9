#include "tests/properties/hold.h"

#include <fmt/format.h>
#include <rapidcheck.h>

#include <algorithm>

#include "sim/candidate/candidate.h"
#include "sim/replay/replay.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

bool same(const CensusEntry& a, const CensusEntry& b) {
  const bool bytes = (!a.content && !b.content) || (a.content && b.content && a.content->bytes == b.content->bytes);
  return bytes && a.path == b.path && a.kind == b.kind && a.persistent == b.persistent && a.on_meta == b.on_meta && a.handle == b.handle &&
         a.storage == b.storage && a.offset == b.offset && a.shape == b.shape && a.strides == b.strides && a.loader == b.loader &&
         a.attributes == b.attributes && a.tensor_class == b.tensor_class && a.host == b.host;
}

[[noreturn]] void fail(const Case& the_case, int step, std::string_view what) {
  RC_LOG() << counterexample(the_case, step, what);
  RC_FAIL(std::string(what));
}

}  // namespace

std::string counterexample(const Case& the_case, int step, std::string_view what) {
  return fmt::format("step {}: {}\n\n{}", step, what, emit(the_case));
}

Evidence run(const Case& the_case, const std::string& candidate) {
  Result<CandidateInfo> info = find_candidate(candidate);
  if (!info.ok()) fail(the_case, -1, info.status().message());
  Result<Evidence> evidence = replay(the_case, *info);
  if (!evidence.ok()) fail(the_case, -1, evidence.status().message());
  return *std::move(evidence);
}

void require(const Evidence& evidence, bool holds, int step, std::string_view what) {
  if (!holds) fail(evidence.the_case, step, what);
}

void require_all_hold(const Evidence& evidence) {
  for (const Verdict& verdict : judge(evidence)) {
    if (verdict.outcome != Outcome::fail) continue;
    const Finding& found = *verdict.finding;
    fail(evidence.the_case, found.step,
         fmt::format("{}: {}, rank {}, {}: {}; {}", found.law, found.execution, found.rank, found.tensor, found.what, found.first));
  }
}

const RankRun& warm(const Evidence& evidence, int rank) { return evidence.find(Variation::Kind::warm)->ranks[static_cast<size_t>(rank)]; }

bool same(const Census& a, const Census& b) {
  return a.flags == b.flags && std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(),
                                          [](const CensusEntry& x, const CensusEntry& y) { return same(x, y); });
}

}  // namespace reloadlab::sim
