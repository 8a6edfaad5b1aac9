#include "sim/fuzz/observe.h"

#include <fmt/format.h>

#include <algorithm>

#include "reference/model/kind.h"
#include "sim/campaign/attempt.h"
#include "sim/fuzz/shape.h"
#include "sim/law/probes.h"
#include "sim/report/steps.h"

namespace reloadlab::sim::fuzz {
namespace {

std::string first_word(const std::string& text) { return text.substr(0, text.find_first_of(" ,:")); }

const model::LayerSpec* layer_called(const Case& the_case, std::string_view name) {
  const auto& layers = the_case.model.layers;
  const auto found = std::ranges::find(layers, name, &model::LayerSpec::name);
  return found == layers.end() ? nullptr : &*found;
}

// By what the constructor made of it; names and layers are many, and one bug shows in all that are alike.
std::string kind_of_tensor(const Case& the_case, const std::string& path) {
  if (path.empty()) return {};
  if (layer_called(the_case, path)) return "layer";
  if (path.find("extra:") != std::string::npos) return "extra";
  if (path.starts_with("process:")) return "process";
  const auto [name, slot_name] = model::split_slot_path(path);
  const model::LayerSpec* layer = layer_called(the_case, name);
  if (!layer) return "unknown";
  const std::vector<model::SlotSpec> slots = model::find_layer_kind(layer->kind)->slots(*layer, the_case.parallel(0));
  const model::SlotSpec* slot = model::find_slot(slots, slot_name);
  if (!slot) return "made";
  if (slot->alias_of || (layer->tied_to && model::split_slot_path(*layer->tied_to).second == slot_name)) return "shared";
  return slot->kind == model::SlotSpec::Kind::buffer || slot->kind == model::SlotSpec::Kind::empty_buffer ? "buffer" : "parameter";
}

std::string kind_of_step(const Evidence& evidence, const Finding& finding) {
  const Step* step = finding_step(evidence, finding);
  return step ? first_word(step_text(*step)) : "construction";
}

Cause cause_of(const Evidence& evidence, const Finding& finding) {
  return {finding.law, first_word(finding.execution), kind_of_step(evidence, finding), kind_of_tensor(evidence.the_case, finding.tensor)};
}

void take(const Evidence& evidence, LawResult law, Observation& seen) {
  seen.inconclusive += law.state == State::inconclusive;
  if (law.state != State::fail && law.state != State::hang) return;
  seen.hangs |= law.state == State::hang;
  if (law.finding) law.finding->law = law.law, seen.causes.push_back(cause_of(evidence, *law.finding));
  seen.failed.push_back(std::move(law));
}

// It has no evidence of its own: where two runs differ says first_difference().
void take_difference(const Evidence& evidence, Observation& seen) {
  const Execution *warm = evidence.find(Variation::Kind::warm), *again = evidence.find(Variation::Kind::again);
  const std::string at = warm && again ? first_difference(*warm, *again) : "";
  if (at.empty()) return;
  seen.failed.push_back({.law = std::string(kSameAgain), .state = State::fail, .reason = "two runs of one seed differ at " + at});
  seen.causes.push_back({std::string(kSameAgain), "again", "", ""});
}

Observation judged(const Evidence& evidence, const Engine& engine) {
  Observation seen;
  for (Verdict& verdict : engine.judge(evidence)) take(evidence, law_result(std::move(verdict)), seen);
  take(evidence, survives(evidence), seen);
  take_difference(evidence, seen);
  seen.shape = shape_of(evidence);
  seen.probes = probes_met(evidence);
  return seen;
}

// What brings its process down, in a word: the signal, "exit" or "hang".
std::string way_down(const std::string& how) {
  const size_t at = how.find("SIG");
  if (at != std::string::npos) return how.substr(at, how.find_first_of(");", at) - at);
  return how.find("exit code") != std::string::npos ? "exit" : "hang";
}

Observation ended(End end, std::string reason) {
  Observation seen;
  seen.end = end, seen.reason = std::move(reason);
  return seen;
}

}  // namespace

Observation lost(const std::string& how) {
  Observation seen;
  const std::string way = way_down(how);
  seen.hangs = way == "hang";
  seen.failed.push_back({.law = std::string(kSurvives), .state = seen.hangs ? State::hang : State::fail, .reason = how});
  seen.causes.push_back({std::string(kSurvives), "lost", way, ""});
  return seen;
}

std::string text(const Cause& cause) {
  return fmt::format("{}, {}, {}{}{}", cause.law, cause.execution, cause.step, cause.tensor.empty() ? "" : ", ", cause.tensor);
}

bool Observation::shows(const Cause& cause) const { return std::ranges::find(causes, cause) != causes.end(); }

Observation observe(const Case& the_case, const std::string& candidate, const Engine& engine, bool twice) try {
  // Ranks that have a GPU wait long for those that have none.
  if (std::string lacking = engine.lacks(the_case); !lacking.empty()) return ended(End::skipped, std::move(lacking));
  const Result<Evidence> evidence = engine.replay(the_case, candidate, {.prove_determinism = twice});
  if (evidence.ok()) return judged(*evidence, engine);
  const Code code = evidence.status().code();
  if (code == Code::lost) return lost(evidence.status().message());
  return ended(code == Code::unsupported ? End::skipped : code == Code::data ? End::bad_data : End::defect, evidence.status().message());
} catch (const std::exception& error) {
  return ended(End::defect, error.what());
}

}  // namespace reloadlab::sim::fuzz
