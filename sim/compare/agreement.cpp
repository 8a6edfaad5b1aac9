#include "sim/compare/agreement.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <set>

#include "sim/compare/known.h"
#include "sim/compare/likeness.h"
#include "sim/compare/projection.h"
#include "sim/scenario/spelling.h"

namespace reloadlab::sim {
namespace {

constexpr double times_alike = 0.1;  // of what was measured
constexpr double marks = 0.02;       // of a pass: what streams wait for hosts and marks, where they wait for nothing else
constexpr double picoseconds_of_a_us = 1e6;
// A pass that takes less is made of what hosts take to issue it, which modelled ones do at once.
constexpr double shortest_pass_us = 5000;

std::vector<const Execution*> warm(const Evidence& evidence) {
  std::vector<const Execution*> all;
  for (const Execution& execution : evidence.executions)
    if (execution.variation.kind == Variation::Kind::warm) all.push_back(&execution);
  return all;
}

const StepOutcome* outcome_of(const RankRun& run, int step) {
  const auto found = std::ranges::find(run.outcomes, step, &StepOutcome::step);
  return found == run.outcomes.end() ? nullptr : &*found;
}

std::string ending(const StepOutcome* outcome) {
  if (!outcome) return "does not end";
  if (outcome->crashed) return "crashes: " + outcome->status.message();
  return outcome->status.ok() ? "ends well" : fmt::format("{}: {}", code_name(outcome->status.code()), outcome->status.message());
}

bool alike(const StepOutcome* one, const StepOutcome* other) {
  if (!one || !other) return !one && !other;
  return one->status.code() == other->status.code() && one->crashed == other->crashed && one->unusable == other->unusable;
}

bool models(WorldKind world) { return world == WorldKind::sim || world == WorldKind::meta; }

class Agreement {
 public:
  Agreement(const Evidence& one, const Evidence& other)
      : one_(one),
        other_(other),
        runs_(warm(one)),
        others_(warm(other)),
        names_{std::string(world_name(one.the_case.world)), std::string(world_name(other.the_case.world))} {}

  std::vector<Row> rows() {
    if (runs_.size() != others_.size() || runs_.empty() || one_.layers != other_.layers || one_.numbers != other_.numbers)
      return {{Row::State::differs, "run", "models, layers or ranks that were played are not the same"}};
    steps_ = until_ = static_cast<int>(std::min(runs_.front()->steps.size(), others_.front()->steps.size()));
    outcomes();
    sequence();
    content();
    peaks();
    times();
    return std::move(rows_);
  }

 private:
  using State = Row::State;
  size_t ranks() const { return std::min(runs_.front()->ranks.size(), others_.front()->ranks.size()); }
  void row(State state, std::string what, std::string says) { rows_.push_back({state, std::move(what), std::move(says)}); }
  // A difference, or else what agrees.
  void row(std::string what, const std::string& difference, std::string agreed) {
    row(difference.empty() ? State::agrees : State::differs, std::move(what), difference.empty() ? std::move(agreed) : difference);
  }

  // The first that `look` says of a model and a rank.
  std::string first(const std::function<std::string(size_t model, size_t rank)>& look) const {
    for (size_t model = 0; model < runs_.size(); ++model)
      for (size_t rank = 0; rank < ranks(); ++rank)
        if (std::string said = look(model, rank); !said.empty())
          return fmt::format("{}rank {}, {}", runs_.size() > 1 ? fmt::format("model {}, ", model) : "", one_.number(rank), said);
    return {};
  }
  const RankRun& run(size_t model, size_t rank) const { return runs_[model]->ranks[rank]; }
  const RankRun& others(size_t model, size_t rank) const { return others_[model]->ranks[rank]; }

  std::string step_text(int step) const {
    return fmt::format("step {} {}", step, spell(step_spellings, runs_.front()->steps[static_cast<size_t>(step)].kind));
  }

  bool end_alike(int step) const {
    return first([&](size_t model, size_t rank) {
             return alike(outcome_of(run(model, rank), step), outcome_of(others(model, rank), step)) ? "" : "no";
           })
        .empty();
  }

  // One of them does not end.
  std::string_view why_endless(size_t model, const StepOutcome* mine, const StepOutcome* theirs) const {
    const bool first_ends = mine != nullptr;
    const StepOutcome& ends = first_ends ? *mine : *theirs;
    const WorldKind goes_on = (first_ends ? one_ : other_).the_case.world, endless = (first_ends ? other_ : one_).the_case.world;
    if (ends.crashed || !ends.status.ok() || models(goes_on) == models(endless)) return {};
    const Execution &ended = *(first_ends ? runs_ : others_)[model], &other = *(first_ends ? others_ : runs_)[model];
    return models(endless) ? known_difference(other) : known_loss(other, ended);
  }

  void outcomes() {
    for (until_ = 0; until_ < steps_ && end_alike(until_);) ++until_;
    if (until_ == steps_)
      return row(State::agrees, "outcomes", fmt::format("{} steps on {} {}", steps_, ranks(), ranks() == 1 ? "rank" : "ranks"));
    std::string_view why;
    const std::string where = first([&](size_t model, size_t rank) -> std::string {
      const StepOutcome *mine = outcome_of(run(model, rank), until_), *theirs = outcome_of(others(model, rank), until_);
      if (alike(mine, theirs)) return {};
      if (mine && theirs)
        why = known_difference(one_.the_case.world, mine->status, other_.the_case.world, theirs->status,
                               runs_.front()->steps[static_cast<size_t>(until_)].kind);
      else
        why = why_endless(model, mine, theirs);
      return fmt::format("{}: {} {}; {} {}", step_text(until_), names_[0], ending(mine), names_[1], ending(theirs));
    });
    row(why.empty() ? State::differs : State::known, "outcomes", why.empty() ? where : fmt::format("{} ({})", where, why));
  }

  bool bytes() const { return one_.the_case.world != WorldKind::meta && other_.the_case.world != WorldKind::meta; }

  static std::string told(const Done* done) {
    return done ? fmt::format("{} (step {}, behind {} doings of its host{})", done->what, done->step, done->host,
                              done->place.empty() ? "" : ", in the memory of " + done->place)
                : "nothing more";
  }
  static bool same(const Done* one, const Done* other) {
    return one->what == other->what && one->place == other->place && one->host == other->host && one->step == other->step;
  }

  using Lists = std::map<std::string, std::vector<const Done*>>;
  std::string first_difference(const Lists& mine, const Lists& theirs, bool whole) const {
    std::set<std::string> names;
    for (const auto& [name, list] : mine) names.insert(name);
    for (const auto& [name, list] : theirs) names.insert(name);
    static const std::vector<const Done*> none;
    for (const std::string& name : names) {
      const auto &left = mine.contains(name) ? mine.at(name) : none, &right = theirs.contains(name) ? theirs.at(name) : none;
      for (size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
        const Done *a = i < left.size() ? left[i] : nullptr, *b = i < right.size() ? right[i] : nullptr;
        if (a && b && (whole ? same(a, b) : a->lane == b->lane && a->what == b->what)) continue;
        return fmt::format("{}, operation {}: {}: {}; {}: {}", name, i, names_[0], told(a), names_[1], told(b));
      }
    }
    return {};
  }

  static bool is_about(const std::string& text, const std::string& layer) {
    const size_t at = text.find(" " + layer), end = at + 1 + layer.size();
    return at != std::string::npos && (end == text.size() || text[end] == '.' || text[end] == ',');
  }

  // Nothing orders it behind or before what writes there: which of the two it finds is chance.
  static bool races(const RankRun& run, const RankRun::Read& read, const std::string& layer) {
    const auto is_it = [&](const RankRun::Access& access) {
      return !access.writes && access.step == read.step && is_about(access.about, layer);
    };
    return std::ranges::any_of(run.races, [&](const RankRun::Race& race) { return is_it(race.first) || is_it(race.second); });
  }
  bool races(size_t model, size_t rank, const RankRun::Read& read) const {
    const std::string& layer = one_.layers[static_cast<size_t>(read.layer)];
    return races(run(model, rank), read, layer) || races(others(model, rank), read, layer);
  }

  // What the two round each for itself: two checkpoints may come to one number here, and there to two.
  std::set<std::string> rounded_paths(size_t rank) const {
    std::set<std::string> paths;
    for (const Execution& mine : one_.executions) {
      const Execution* theirs = other_.find(mine.variation.kind, mine.variation.name);
      if (mine.variation.kind != Variation::Kind::cold || !theirs || mine.ranks.size() <= rank || theirs->ranks.size() <= rank) continue;
      if (mine.ranks[rank].censuses.empty() || theirs->ranks[rank].censuses.empty()) continue;
      for (const CensusEntry& entry : mine.ranks[rank].censuses.back().entries) {
        const CensusEntry* found = theirs->ranks[rank].censuses.back().find(entry.path);
        if (found && found->content && entry.content && found->content->bytes != entry.content->bytes) paths.insert(entry.path);
      }
    }
    return paths;
  }

  void sequence() {
    std::set<std::string> lanes;
    size_t operations = 0, moved = 0;
    std::string in_order;
    const std::string in_lanes = first([&](size_t model, size_t rank) {
      const std::set<std::string> rounded = rounded_paths(rank);
      const HasVersion has_version = [&](const RankRun::Read& read) {
        const std::string path = fmt::format("{}.{}", one_.layers[static_cast<size_t>(read.layer)], read.slot);
        return bytes() && !races(model, rank, read) && !rounded.contains(path);
      };
      const Projection mine = project(one_, *runs_[model], rank, until_, has_version);
      const Projection theirs = project(other_, *others_[model], rank, until_, has_version);
      for (const auto& [name, list] : mine.lanes) lanes.insert(name);
      operations += mine.all.size();
      for (size_t i = 0; i < std::min(mine.all.size(), theirs.all.size()); ++i) moved += mine.all[i].lane != theirs.all[i].lane ? 1 : 0;
      if (in_order.empty()) in_order = first_difference(mine.places, theirs.places, false);
      return first_difference(mine.lanes, theirs.lanes, true);
    });
    row("sequence", in_lanes, fmt::format("{} operations of {}", operations, fmt::join(lanes, ", ")));
    row("order", in_order, moved == 0 ? "that of each host" : fmt::format("{} operations elsewhere, where neither orders them", moved));
  }

  // Devices round for themselves; modelled ones as their host does.
  bool is_other(DType dtype, const BlobPtr& one, const BlobPtr& other) {
    if (!one || !other) return false;
    ++compared_;
    const Likeness alike = likeness(dtype, one->bytes, other->bytes);
    if (alike == Likeness::same) return false;
    const bool rounds = (one_.the_case.world == WorldKind::cuda) != (other_.the_case.world == WorldKind::cuda);
    if (alike == Likeness::different || !rounds) return true;
    ++rounded_;
    return false;
  }

  std::string other_read(size_t model, size_t rank) {
    const RankRun &mine = run(model, rank), &theirs = others(model, rank);
    for (size_t i = 0; i < std::min(mine.reads.size(), theirs.reads.size()); ++i) {
      const RankRun::Read &a = mine.reads[i], &b = theirs.reads[i];
      if (a.step >= until_ || b.step >= until_) break;
      if (races(model, rank, a)) {
        ++racing_;
        continue;
      }
      if (is_other(a.dtype, a.content, b.content))
        return fmt::format("{}: what is read of {}.{}", step_text(a.step), one_.layers[static_cast<size_t>(a.layer)], a.slot);
    }
    return {};
  }

  std::string other_census(size_t model, size_t rank) {
    const RankRun &mine = run(model, rank), &theirs = others(model, rank);
    for (size_t i = 0; i < std::min(mine.censuses.size(), theirs.censuses.size()); ++i) {
      const Census &a = mine.censuses[i], &b = theirs.censuses[i];
      if (a.step < 0) continue;  // fresh memory is nobody's to say
      if (a.step >= until_ || a.step != b.step) break;
      for (const CensusEntry& entry : a.entries) {
        const CensusEntry* found = b.find(entry.path);
        if (!found) return fmt::format("behind step {}: there is no {} in {}", a.step, entry.path, names_[1]);
        if (is_other(entry.dtype, entry.content, found->content)) return fmt::format("behind step {}: {}", a.step, entry.path);
      }
    }
    return {};
  }

  // The bytes of weights in windows are those of reads; what lies there between passes is nobody's.
  void content() {
    if (!bytes()) return row(State::left_out, "content", "world meta has no bytes");
    const std::string difference = first([&](size_t model, size_t rank) {
      std::string said = other_read(model, rank);
      return said.empty() && one_.the_case.series.empty() ? other_census(model, rank) : said;
    });
    std::string agreed = fmt::format("{} tensors", compared_);
    if (rounded_ > 0)
      agreed += fmt::format(", {} of them but for the last bit of their numbers, for which devices round by themselves", rounded_);
    if (racing_ > 0) agreed += fmt::format("; {} reads that race may find either", racing_);
    if (difference.empty() && rounded_ + racing_ > 0) return row(State::known, "content", std::move(agreed));
    row("content", difference, std::move(agreed));
  }

  // On plain CPU nothing tells what is of the device from what is of its host.
  bool counts_its_host(const StepOutcome& mine, const StepOutcome& theirs) const {
    const WorldKind world = one_.the_case.world, other = other_.the_case.world;
    if (world == WorldKind::cpu && mine.peak_bytes > theirs.peak_bytes) return true;
    return other == WorldKind::cpu && theirs.peak_bytes > mine.peak_bytes;
  }

  void peaks() {
    int64_t most = 0, hosts = 0;
    const std::string difference = first([&](size_t model, size_t rank) -> std::string {
      for (const StepOutcome& outcome : run(model, rank).outcomes) {
        const StepOutcome* theirs = outcome_of(others(model, rank), outcome.step);
        if (outcome.step >= until_ || !theirs) continue;
        most = std::max(most, outcome.peak_bytes);
        const bool with_host = counts_its_host(outcome, *theirs);
        if (with_host) hosts = std::max(hosts, std::abs(outcome.peak_bytes - theirs->peak_bytes));
        if (outcome.peak_bytes != theirs->peak_bytes && !with_host)
          return fmt::format("{}: {} {}, {} {} bytes", outcome.step < 0 ? "construction" : step_text(outcome.step), names_[0],
                             outcome.peak_bytes, names_[1], theirs->peak_bytes);
      }
      return {};
    });
    if (difference.empty() && hosts > 0)
      return row(State::known, "peak bytes", fmt::format("{} more at most on cpu, which counts what hosts take as well", hosts));
    row("peak bytes", difference, fmt::format("{} at most, on all ranks in all steps", most));
  }

  const RankRun::Pace* pace_of(const RankRun& run, int step) const {
    const auto found = std::ranges::find(run.paces, step, &RankRun::Pace::step);
    return found == run.paces.end() || found->begin < 0 || found->end < 0 ? nullptr : &*found;
  }

  struct Timed {
    size_t passes = 0;
    double predicted = 0, measured = 0;  // microseconds, the mean
    double waited_predicted = 0, waited_measured = 0;
  };

  // All passes but the first, in which libraries are loaded and devices wake up.
  std::optional<Timed> timed() const {
    const bool first_models = models(one_.the_case.world);
    Timed sums;
    for (size_t model = 0; model < runs_.size(); ++model)
      for (size_t rank = 0; rank < ranks(); ++rank)
        for (size_t i = 1; i < run(model, rank).paces.size(); ++i) {
          const int step = run(model, rank).paces[i].step;
          const RankRun::Pace *mine = pace_of(run(model, rank), step), *theirs = pace_of(others(model, rank), step);
          if (step >= until_ || !mine || !theirs) continue;
          const RankRun::Pace &predicted = first_models ? *mine : *theirs, &measured = first_models ? *theirs : *mine;
          ++sums.passes;
          sums.predicted += static_cast<double>(predicted.end - predicted.begin) / picoseconds_of_a_us;
          sums.measured += static_cast<double>(measured.end - measured.begin) / picoseconds_of_a_us;
          sums.waited_predicted += static_cast<double>(predicted.waited) / picoseconds_of_a_us;
          sums.waited_measured += static_cast<double>(measured.waited) / picoseconds_of_a_us;
        }
    if (sums.passes == 0) return std::nullopt;
    for (double* sum : {&sums.predicted, &sums.measured, &sums.waited_predicted, &sums.waited_measured})
      *sum /= static_cast<double>(sums.passes);
    return sums;
  }

  void times() {
    const bool both = models(one_.the_case.world) && models(other_.the_case.world);
    const bool none = !models(one_.the_case.world) && !models(other_.the_case.world);
    const auto left_out = [&](std::string why) {
      row(State::left_out, "pass time", why);
      row(State::left_out, "exposed wait", std::move(why));
    };
    if (!one_.the_case.timing) return left_out("the scenario does not say what things take");
    if (none) return left_out("neither world predicts times");
    const std::optional<Timed> means = timed();
    if (!means) return left_out("no pass but the first has times in both worlds");
    const bool hosts = !both && means->predicted < shortest_pass_us;
    const auto compare = [&](std::string what, double predicted, double measured, double least = 0) {
      const bool near = std::abs(predicted - measured) <= std::max(times_alike * measured, least);
      row(hosts  ? State::left_out
          : near ? State::agrees
                 : State::differs,
          std::move(what),
          fmt::format("{:.1f} us {}, {:.1f} us {}, the mean of {} {}{}", predicted, both ? names_[0] : "predicted", measured,
                      both ? names_[1] : "measured", means->passes, means->passes == 1 ? "pass" : "passes",
                      hosts ? ": too short to tell devices from hosts" : ""));
    };
    compare("pass time", means->predicted, means->measured);
    compare("exposed wait", means->waited_predicted, means->waited_measured, marks * means->measured);
  }

  const Evidence &one_, &other_;
  std::vector<const Execution*> runs_, others_;
  std::string names_[2];
  std::vector<Row> rows_;
  int until_ = 0, steps_ = 0;
  size_t compared_ = 0, rounded_ = 0, racing_ = 0;
};

}  // namespace

std::vector<Row> hold_against(const Evidence& one, const Evidence& other) { return Agreement(one, other).rows(); }

}  // namespace reloadlab::sim
