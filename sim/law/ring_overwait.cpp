// Whether passes take what their broadcasts make them take, and no more.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "sim/law/laws.h"
#include "sim/law/recurrence.h"
#include "sim/law/ring.h"

namespace reloadlab::sim {
namespace {

bool is_timed(const Step& step) { return step.kind == StepKind::pass && is_plain(step.pass) && step.pass.stream != Pass::Stream::unjoined; }

// What is known of what is in flight.
enum class Known {
  nothing,
  idle,    // nothing is; but not whether windows hold what the next pass begins with
  still,   // nothing is, and they do; when that is, the next pass tells
  filled,  // what fills the first windows, all of it issued when the next pass begins
  all,     // what, and since when
};

bool knows_a_pass(Known known) { return known != Known::nothing && known != Known::idle; }

// Series are drained and filled one by one: where it is not known what one of them has in flight, it is not known how much earlier the
// others were filled.
Known refilled(Known known, const Step& step, const Case& the_case) {
  if (known == Known::all) return known;
  const bool reload = step.kind == StepKind::reload, in_place = reload && step.in_place;
  if (the_case.models == 1 && (the_case.series.size() == 1 || in_place)) return Known::filled;
  return (known == Known::idle || known == Known::still) && (in_place || !reload) ? Known::filled : Known::nothing;
}

// Behind a step that ended well.
Known behind(Known known, const Step& step, const Case& the_case) {
  if (is_timed(step)) return knows_a_pass(known) ? Known::all : Known::nothing;
  switch (step.kind) {
    case StepKind::load:
      return known == Known::all ? known : Known::still;
    case StepKind::reload:
      return step.via == Via::series ? refilled(known, step, the_case) : Known::nothing;
    case StepKind::reset:
      return refilled(known, step, the_case);
    case StepKind::drain:
    case StepKind::host_sync:
      if (known == Known::nothing) return Known::idle;
      return known == Known::filled ? Known::still : known;
    case StepKind::update_owner:
      return known;
    default:
      return Known::nothing;
  }
}

// Whether it is known of some timed pass what is in flight as it begins, if all goes well.
bool knows_any(const std::vector<Step>& steps, const Case& the_case) {
  Known known = Known::all;
  for (const Step& step : steps) {
    if (is_timed(step) && knows_a_pass(known)) return true;
    known = behind(known, step, the_case);
  }
  return false;
}

// What the models of one process did, step by step, as long as it is known what is in flight: that is so behind a load, and not behind a
// pass that deviates or a graph before all of it has been waited for.
class Course {
 public:
  Course(const Evidence& evidence, std::vector<const Execution*> models)
      : evidence_(evidence),
        models_(std::move(models)),
        binding_(is_static(evidence) ? Recurrence::Binding::fixed : Recurrence::Binding::rolling),
        recurrence_(evidence.the_case, binding_) {}

  std::optional<Finding> judge(Tally& tally) {
    for (int step = 0; step < static_cast<int>(models_.front()->steps.size()); ++step)
      if (auto finding = follow(models_.front()->steps[static_cast<size_t>(step)], step, tally)) return finding;
    return std::nullopt;
  }

 private:
  size_t ranks() const { return models_.front()->ranks.size(); }

  bool everywhere(int step, Code code) const {
    return std::ranges::all_of(models_, [&](const Execution* execution) {
      return std::ranges::all_of(execution->ranks, [&](const RankRun& run) {
        const StepOutcome* outcome = outcome_of(run, step);
        return outcome && outcome->status.code() == code;
      });
    });
  }

  std::optional<Finding> follow(const Step& each, int step, Tally& tally) {
    if (everywhere(step, Code::unsupported)) return std::nullopt;  // who cannot do it has done nothing
    const bool paced = !is_timed(each) || has_paces(step);
    const Known before =
        std::exchange(known_, paced && everywhere(step, Code::ok) ? behind(known_, each, evidence_.the_case) : Known::nothing);
    if (known_ == Known::nothing) return std::nullopt;
    if (known_ != Known::all) recurrence_ = Recurrence(evidence_.the_case, binding_);  // at a time that the next pass tells
    if (known_ == Known::all && before != Known::all) start(step, before == Known::filled);
    for (size_t model = 0; model < models_.size() && known_ == Known::all; ++model) {
      if (!is_timed(each))
        play(each, model);
      else if (auto finding = judge_pass(step, model, tally))
        return finding;
    }
    return std::nullopt;
  }

  // Behind a time that was not known, with the first model's pass.
  void start(int step, bool filled) {
    for (size_t rank = 0; rank < ranks(); ++rank) recurrence_.begin(rank, pace_of(0, rank, step)->begin);
    for (size_t model = 0; model < models_.size() && filled; ++model) recurrence_.fill(model);
  }

  void play(const Step& each, size_t model) {
    switch (each.kind) {
      case StepKind::load:
        return recurrence_.load();
      case StepKind::reload:
        return recurrence_.reload(model, each.in_place);
      case StepKind::drain:
        return recurrence_.drain(model);
      case StepKind::reset:
        return recurrence_.reset(model);
      case StepKind::host_sync:
        return recurrence_.sync();
      default:
        return;
    }
  }

  const RankRun::Pace* pace_of(size_t model, size_t rank, int step) const {
    const std::vector<RankRun::Pace>& paces = models_[model]->ranks[rank].paces;
    const auto found = std::ranges::find(paces, step, &RankRun::Pace::step);
    return found == paces.end() || found->begin < 0 || found->end < 0 ? nullptr : &*found;
  }

  bool has_paces(int step) const {
    for (size_t model = 0; model < models_.size(); ++model)
      for (size_t rank = 0; rank < ranks(); ++rank)
        if (!pace_of(model, rank, step)) return false;
    return true;
  }

  Finding finding(size_t model, size_t rank, int step, std::string what) const {
    return {.execution = models_[model]->variation.label(), .rank = evidence_.number(rank), .step = step, .what = std::move(what)};
  }

  std::optional<Finding> judge_pass(int step, size_t model, Tally& tally) {
    for (size_t rank = 0; rank < ranks(); ++rank)
      if (auto late = judge_begin(step, model, rank, tally)) return late;
    recurrence_.pass(model);
    for (size_t rank = 0; rank < ranks(); ++rank)
      if (auto late = judge_end(step, model, rank, tally)) return late;
    return std::nullopt;
  }

  std::optional<Finding> judge_begin(int step, size_t model, size_t rank, Tally& tally) const {
    const int64_t begin = pace_of(model, rank, step)->begin, meant = recurrence_.now(rank);
    tally.check();
    if (begin == meant) return std::nullopt;
    return finding(model, rank, step,
                   fmt::format("the pass begins at {} ps, expected {} ps: what comes before it waits for {}", begin, meant,
                               begin > meant ? "more than it needs" : "less than it needs"));
  }

  std::optional<Finding> judge_end(int step, size_t model, size_t rank, Tally& tally) const {
    tally.check();
    const RankRun::Pace& pace = *pace_of(model, rank, step);
    const int64_t meant = recurrence_.now(rank);
    if (pace.end == meant) return std::nullopt;
    return finding(model, rank, step,
                   fmt::format("the pass ends {} ps after it began, expected {} ps: {} by {} ps", pace.end - pace.begin, meant - pace.begin,
                               pace.end > meant ? "something waits for more than it needs,"
                                                : "something has waited before, or does not wait for what it needs,",
                               std::abs(pace.end - meant)));
  }

  const Evidence& evidence_;
  std::vector<const Execution*> models_;
  Recurrence::Binding binding_;
  Recurrence recurrence_;
  Known known_ = Known::all;
};

}  // namespace

Verdict judge_ring_overwait(const Evidence& evidence) {
  Tally tally("ring_overwait");
  const Execution* warm = warm_of(evidence);
  if (evidence.the_case.series.empty()) return tally.unsupported("the model has no series");
  if (!evidence.the_case.timing) return tally.unsupported("the scenario does not say what things take");
  if (!sees_time(evidence)) return tally.unsupported("what things take on this device is nobody's to say");
  if (evidence.the_case.collectives.order == Collectives::Order::gloo)
    return tally.unsupported("it is predicted where a communicator has one stream, and gloo has two workers");
  if (!warm) return tally.done("the scenario's own execution is missing");
  if (std::ranges::none_of(warm->steps, is_timed))
    return tally.unsupported("the recurrence is that of passes that deviate nowhere, outside of graphs and on streams that are joined");
  if (!knows_any(warm->steps, evidence.the_case))
    return tally.unsupported(
        "each pass that deviates nowhere comes after a graph or a pass that does, behind which it is not known what is "
        "in flight");
  std::vector<const Execution*> models;
  for (const Execution& execution : evidence.executions)
    if (execution.variation.kind == Variation::Kind::warm) models.push_back(&execution);
  if (auto finding = Course(evidence, std::move(models)).judge(tally)) return tally.fail(*std::move(finding));
  return concluded(evidence, tally, "no pass that deviates nowhere ended on all ranks", {is_timed, ""});
}

}  // namespace reloadlab::sim
