#include <fmt/format.h>

#include <algorithm>

#include "reference/model/kind.h"
#include "sim/evidence/values.h"
#include "sim/law/laws.h"
#include "sim/law/reading.h"
#include "sim/law/ring.h"

namespace reloadlab::sim {
namespace {

using DebtKind = CoverageReport::Kind;

// One thing that the candidate owes a word about.
struct Debt {
  DebtKind kind;
  int step;
  std::string layer, slot, what;
};

std::string_view policy_key(DebtKind kind) {
  return kind == DebtKind::missing ? "missing" : kind == DebtKind::excess ? "excess" : "unexpected";
}

class CoverageReported {
 public:
  CoverageReported(const Evidence& evidence, size_t rank, Tally& tally)
      : evidence_(evidence), plan_(evidence.plan[rank]), run_(warm_of(evidence)->ranks[rank]), rank_(rank), tally_(tally) {}

  std::optional<Finding> update(StepRange update) {
    if (!outcome_of(run_, update.last)) return std::nullopt;
    const bool refused = any_failure(update);
    for (const Debt& debt : debts(update)) {
      const std::string policy = policy_of(debt.kind);
      tally_.check();
      if (refused) continue;  // the update did not take effect, and its failure was returned
      if (policy == "reject")
        return finding(debt.step, debt, fmt::format("{}, and it was taken although the candidate declares to reject it", debt.what));
      const bool harmless = policy == "accept" && debt.kind == DebtKind::excess;
      if (!harmless && !reported(update, debt))
        return finding(debt.step, debt, fmt::format("{}, and nothing was reported (declared: {})", debt.what, policy));
    }
    return false_report(update);
  }

 private:
  std::vector<Debt> debts(StepRange update) const {
    std::vector<Debt> owed;
    for (const PlannedLoad& load : plan_.loads) {
      if (!update.has(load.step) || !was_called(load)) continue;
      if (load.layer.empty())
        owed.push_back({DebtKind::unexpected, load.step, load.delivery, "", fmt::format("no layer takes {}", load.delivery)});
      else if (load.excess)
        owed.push_back({DebtKind::excess, load.step, load.layer, load.slot, fmt::format("{} arrived again", load.delivery)});
    }
    for (const RankPlan::Missing& missing : plan_.missing)
      if (update.has(missing.step))
        owed.push_back({DebtKind::missing, missing.step, missing.layer, missing.slot,
                        fmt::format("{} elements never arrived", count_text(missing.elements))});
    return owed;
  }

  bool was_called(const PlannedLoad& load) const {
    const StepOutcome* outcome = outcome_of(run_, load.step);
    return outcome && load.index >= 0 && static_cast<size_t>(load.index) < outcome->load_statuses.size();
  }

  bool any_failure(StepRange update) const {
    return std::ranges::any_of(run_.outcomes, [&](const StepOutcome& outcome) {
      const bool load_failed = std::ranges::any_of(outcome.load_statuses, [](const Status& status) { return !status.ok(); });
      return update.has(outcome.step) && (!outcome.status.ok() || load_failed);
    });
  }

  std::string policy_of(DebtKind kind) const {
    const auto declared = evidence_.declared.find(std::string(policy_key(kind)));
    return declared == evidence_.declared.end() ? "nothing" : declared->second;
  }

  bool reported(StepRange update, const Debt& debt) const {
    return std::ranges::any_of(run_.coverage, [&](const CoverageReport& report) {
      const bool slot = debt.slot.empty() || report.slot.empty() || report.slot == debt.slot;
      return report.kind == debt.kind && update.has(report.step) && report.layer == debt.layer && slot;
    });
  }

  // Crying wolf hides the wolf: a report must have a reason in the plan. A tied name without deliveries of its own may be named too.
  std::optional<Finding> false_report(StepRange update) {
    const std::vector<Debt> owed = debts(update);
    for (const CoverageReport& report : run_.coverage) {
      if (!update.has(report.step) || any_failure(update)) continue;
      tally_.check();
      if (has_reason(update, owed, report)) continue;
      const Debt debt{report.kind, report.step, report.layer, report.slot, ""};
      return finding(report.step, debt, fmt::format("was reported as {}, and it is not", policy_key(report.kind)));
    }
    tally_.check();
    return std::nullopt;
  }

  bool has_reason(StepRange update, const std::vector<Debt>& owed, const CoverageReport& report) const {
    const bool own_deliveries = std::ranges::any_of(evidence_.deliveries, [&](const model::Delivery& delivery) {
      return delivery.layer == report.layer && (report.slot.empty() || delivery.slot == report.slot);
    });
    if (report.kind != DebtKind::unexpected && !own_deliveries) return true;
    if (report.kind == DebtKind::excess && wrote_twice(update, report.layer)) return true;
    if (padding_came_so(update, report)) return true;
    return std::ranges::any_of(owed, [&](const Debt& debt) {
      const bool slot = report.slot.empty() || debt.slot.empty() || debt.slot == report.slot;
      return debt.kind == report.kind && debt.layer == report.layer && slot;
    });
  }

  // A rank that holds nothing but padding, which the loader writes: it may say how often that came, and need not.
  bool padding_came_so(StepRange update, const CoverageReport& report) const {
    const model::LayerSpec* spec = layer_spec(evidence_, report.layer);
    const model::LayerKind* kind = spec ? model::find_layer_kind(spec->kind) : nullptr;
    if (!kind || !kind->loader_pads(*spec, evidence_.parallel(rank_))) return false;
    int64_t times = 0, elements = 0;
    for (const PlannedLoad& load : plan_.loads) {
      if (!update.has(load.step) || load.layer != report.layer) continue;
      ++times;
      for (const model::Placement& box : load.placements) elements += numel(box.extent);
    }
    return elements == 0 && (report.kind == DebtKind::excess ? times > 1 : times == 0);
  }

  bool wrote_twice(StepRange update, const std::string& layer) const {
    return std::ranges::any_of(plan_.loads, [&](const PlannedLoad& load) {
      int64_t touched = 0;
      for (const model::Placement& box : load.placements) touched += numel(box.extent);
      return update.has(load.step) && load.layer == layer && load.fresh < touched;
    });
  }

  Finding finding(int step, const Debt& debt, std::string what) const {
    return {.execution = "warm",
            .rank = static_cast<int>(rank_),
            .step = step,
            .tensor = debt.slot.empty() ? debt.layer : debt.layer + "." + debt.slot,
            .what = std::move(what)};
  }

  const Evidence& evidence_;
  const RankPlan& plan_;
  const RankRun& run_;
  size_t rank_;
  Tally& tally_;
};

}  // namespace

Verdict judge_coverage_reported(const Evidence& evidence) {
  Tally tally("coverage_reported");
  const Execution* warm = warm_of(evidence);
  if (!warm) return tally.done("the scenario's own execution is missing");
  const auto reports = evidence.declared.find("reports");
  if (reports == evidence.declared.end() || reports->second != "yes")
    return tally.unsupported("the candidate reports nothing about itself");
  const std::vector<StepRange> updates = updates_of(*warm);
  if (updates.empty()) return tally.unsupported("the scenario updates nothing");
  for (size_t rank = 0; rank < warm->ranks.size(); ++rank) {
    CoverageReported judge(evidence, rank, tally);
    for (const StepRange& update : updates)
      if (auto finding = judge.update(update)) return tally.fail(*std::move(finding));
  }
  constexpr std::string_view nothing_checked = "no update was seen";
  return evidence.the_case.series.empty() ? tally.done(nothing_checked) : concluded(evidence, tally, nothing_checked, any_step);
}

}  // namespace reloadlab::sim
