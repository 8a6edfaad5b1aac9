#include "sim/campaign/scheduled.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>

#include "reference/base/prng.h"
#include "sim/campaign/attempt.h"
#include "sim/explore/depth_first.h"
#include "sim/law/law.h"
#include "sim/world/modelled/modelled_world.h"

namespace reloadlab::sim {
namespace {

bool breaks_a_law(const Evidence& evidence) {
  return survives(evidence).state != State::pass ||
         std::ranges::any_of(judge(evidence), [](const Verdict& verdict) { return verdict.outcome == Outcome::fail; });
}

class Scheduled {
 public:
  Scheduled(const Case& the_case, const CandidateInfo& candidate, const ReplayOptions& options, Evidence first, const Schedules& schedules)
      : case_(the_case), candidate_(candidate), first_(std::move(first)), on_step_(options.on_step), schedules_(schedules) {}

  Result<Evidence> run() {
    if (breaks_a_law(first_)) return std::move(first_);
    constexpr int depths = 4;
    for (int64_t i = 0; i < schedules_.random && !broken_; ++i) RELOADLAB_TRY(try_one(modelled::random_choices(seed_of(i))));
    for (int64_t i = 0; i < schedules_.pct && !broken_; ++i)
      RELOADLAB_TRY(try_one(modelled::pct(seed_of(i), static_cast<int>(i % depths) + 1, choices())));
    if (!broken_ && schedules_.every_one > 0 && is_small()) RELOADLAB_TRY(try_every_one());
    return broken_ ? *std::move(broken_) : std::move(first_);
  }

 private:
  Result<Evidence> play(std::unique_ptr<modelled::Chooser> chooser) const {
    ReplayOptions options{.others = &first_, .on_step = on_step_};
    options.make_world = [&](const WorldRequest& request) -> Result<std::unique_ptr<World>> {
      if (request.kind != WorldKind::sim || !chooser) return make_world(request);
      // What ranks tell each other through the harness's store is no choice: the schedules are those of their work.
      return std::unique_ptr<World>(std::make_unique<modelled::ModelledWorld>(request, std::move(chooser), modelled::Stores::quiet));
    };
    return replay(case_, candidate_, options);
  }

  // Where every schedule that differs can be played, as far as `try_every_one` goes.
  bool is_small() const { return case_.ranks <= 3 && case_.model.layers.size() <= 5; }

  uint64_t seed_of(int64_t schedule) const { return mix64(*case_.delays) + static_cast<uint64_t>(schedule); }

  Status try_one(std::unique_ptr<modelled::Chooser> chooser) {
    RELOADLAB_ASSIGN(Evidence evidence, play(std::move(chooser)));
    if (breaks_a_law(evidence)) broken_ = std::move(evidence);
    return {};
  }

  // About as many as a run has.
  int64_t choices() const {
    size_t events = 0;
    for (const Execution& execution : first_.executions)
      if (execution.variation.kind == Variation::Kind::warm)
        for (const RankRun& rank : execution.ranks) events += rank.events.size();
    return static_cast<int64_t>(events);
  }

  Status try_every_one() {
    std::optional<Evidence> latest;
    Status trouble;
    const explore::Program program = [&](std::unique_ptr<modelled::Chooser> chooser) {
      Result<Evidence> evidence = play(std::move(chooser));
      if (!evidence.ok()) trouble = evidence.status();
      latest = evidence.ok() ? std::optional(*std::move(evidence)) : std::nullopt;
      return explore::Outcome{.ranks = case_.ranks};
    };
    const explore::Limits limits{.executions = schedules_.every_one, .seconds = std::numeric_limits<double>::infinity()};
    explore::depth_first(program, {.limits = limits}, [&](const explore::Execution&) {
      if (latest && breaks_a_law(*latest)) broken_ = std::move(latest);
      return !broken_ && trouble.ok();
    });
    return trouble;
  }

  const Case& case_;
  const CandidateInfo& candidate_;
  Evidence first_;
  const std::function<void(const Variation&, int, int)>& on_step_;
  const Schedules& schedules_;
  std::optional<Evidence> broken_;
};

}  // namespace

Result<Evidence> play_schedules(const Case& the_case, const CandidateInfo& candidate, const ReplayOptions& options, Evidence first,
                                const Schedules& schedules) {
  return Scheduled(the_case, candidate, options, std::move(first), schedules).run();
}

}  // namespace reloadlab::sim
