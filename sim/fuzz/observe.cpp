#include "sim/fuzz/observe.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/campaign/attempt.h"
#include "sim/fuzz/shape.h"
#include "sim/law/probes.h"
#include "sim/report/steps.h"

namespace reloadlab::sim::fuzz {
namespace {

std::string first_word(const std::string& text) { return text.substr(0, text.find(' ')); }

// "blocks.0.it.weight" is a weight, and "blocks.12.it.extra:scale 3" an extra:scale.
std::string kind_of_tensor(const std::string& path) { return first_word(path.substr(path.rfind('.') + 1)); }

std::string kind_of_step(const Evidence& evidence, const Finding& finding) {
  const Step* step = finding_step(evidence, finding);
  return step ? first_word(step_text(*step)) : "construction";
}

Cause cause_of(const Evidence& evidence, const Finding& finding) {
  return {finding.law, first_word(finding.execution), kind_of_step(evidence, finding), kind_of_tensor(finding.tensor)};
}

void take(const Evidence& evidence, LawResult law, Observation& seen) {
  seen.inconclusive += law.state == State::inconclusive;
  if (law.state != State::fail && law.state != State::hang) return;
  if (law.finding) law.finding->law = law.law, seen.causes.push_back(cause_of(evidence, *law.finding));
  seen.failed.push_back(std::move(law));
}

Observation judged(const Evidence& evidence, const Engine& engine) {
  Observation seen;
  for (Verdict& verdict : engine.judge(evidence)) take(evidence, law_result(std::move(verdict)), seen);
  take(evidence, survives(evidence), seen);
  seen.shape = shape_of(evidence);
  seen.probes = probes_met(evidence);
  return seen;
}

Observation ended(End end, std::string reason) {
  Observation seen;
  seen.end = end, seen.reason = std::move(reason);
  return seen;
}

}  // namespace

std::string text(const Cause& cause) {
  return fmt::format("{}, {}, {}{}{}", cause.law, cause.execution, cause.step, cause.tensor.empty() ? "" : ", ", cause.tensor);
}

bool Observation::shows(const Cause& cause) const { return std::ranges::find(causes, cause) != causes.end(); }

Observation observe(const Case& the_case, const std::string& candidate, const Engine& engine) try {
  const Result<Evidence> evidence = engine.replay(the_case, candidate, {});
  if (evidence.ok()) return judged(*evidence, engine);
  const Code code = evidence.status().code();
  return ended(code == Code::unsupported ? End::skipped : code == Code::data ? End::bad_data : End::defect, evidence.status().message());
} catch (const std::exception& error) {
  return ended(End::defect, error.what());
}

}  // namespace reloadlab::sim::fuzz
