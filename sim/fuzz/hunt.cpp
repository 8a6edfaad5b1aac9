#include "sim/fuzz/hunt.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "sim/campaign/attempt.h"
#include "sim/fuzz/generate.h"
#include "sim/fuzz/novelty.h"
#include "sim/fuzz/shrink.h"
#include "sim/fuzz/spoil.h"

namespace reloadlab::sim::fuzz {
namespace {

class Hunt {
 public:
  Hunt(const HuntOptions& options, const Engine& engine, const Told& told) : options_(options), engine_(engine), told_(told) {}

  Result<Hunted> run() {
    find_canary();
    if (options_.goes_on && !options_.fail_fast) RELOADLAB_TRY(go_on());
    const uint64_t step = options_.shard ? static_cast<uint64_t>(options_.shard->count) : 1;
    for (uint64_t index = options_.shard ? static_cast<uint64_t>(options_.shard->index) : 0; !over(index); index += step) {
      if (index < options_.first) continue;
      if (told_.begins) told_.begins(index);
      RELOADLAB_TRY(play(index));
      now().seconds = since();
      if (told_.progress) RELOADLAB_TRY(told_.progress(now(), hunted_.found));
    }
    return std::move(hunted_);
  }

 private:
  // The campaign's own drawing and judging, on what is known to be wrong. Not counted.
  void find_canary() {
    constexpr uint64_t most = 200;
    if (options_.canary.empty()) return;
    int64_t judged = 0;
    for (uint64_t index = 0; index < most; ++index) {
      Choices choices(seed_of(options_.seed, index));
      const Result<Case> drawn = generate(options_.system, choices, options_.on);
      if (!drawn.ok()) continue;
      const Observation seen = observe(*drawn, options_.canary, engine_);
      if (!seen.failed.empty()) return;
      judged += seen.end == End::judged;
    }
    if (judged == 0) return;  // this machine plays none of them
    hunted_.defect = fmt::format("the canary {} broke no law in {} cases: this campaign finds nothing", options_.canary, most);
  }

  // What earlier campaigns were broken off in making small. A cause may be so rare that this one does not meet it.
  Status go_on() {
    const auto half_is_over = [this] { return options_.seconds && 2 * since() >= *options_.seconds; };
    for (const auto& [cause, large] : options_.unfinished) {
      Choices choices(large);
      const Result<Case> the_case = generate(options_.system, choices, options_.on);
      if (half_is_over() || !the_case.ok() || !shown_quickly(cause, large)(*the_case)) continue;
      Found one{.cause = cause};
      RELOADLAB_TRY(make_small(one, large, {options_.shrink_tries, half_is_over}));
      gone_on_.insert(cause);
    }
    return {};
  }

  Progressed& now() { return hunted_.progress; }
  double since() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

  bool over(uint64_t index) const {
    return !hunted_.defect.empty() || (options_.fail_fast && !hunted_.found.empty()) ||
           (options_.cases && index >= static_cast<uint64_t>(*options_.cases)) || (options_.seconds && since() >= *options_.seconds);
  }

  Status play(uint64_t index) {
    Choices choices(seed_of(options_.seed, index), &novelty_);
    const Result<Case> drawn = drawn_case(index, choices);
    if (!drawn.ok()) return hunted_.defect = drawn.status().message(), Status();
    check_refusal(index, *drawn);
    constexpr uint64_t twice_one_in = 20;
    const bool twice = mix64(index) % twice_one_in == 0;
    Observation seen = observe(*drawn, options_.candidate, engine_, twice);
    leave_to_control(*drawn, seen);
    ++now().cases;
    now().judged += seen.end == End::judged;
    if (seen.end == End::skipped && now().skipped++ == 0) now().why_skipped = seen.reason;
    now().inconclusive += seen.inconclusive;
    now().failing += !seen.failed.empty(), now().hanging += seen.hangs;
    if (seen.end == End::defect || seen.end == End::bad_data) hunted_.defect = fmt::format("case {}: {}", index, seen.reason);
    RELOADLAB_ASSIGN(const bool fresh, note_news(seen, *drawn));
    novelty_.note(choices.taken(), fresh);
    for (const Cause& cause : seen.causes) RELOADLAB_TRY(meet(cause, index, choices.answers(), *drawn, seen));
    return {};
  }

  // Some as their files have them: what is kept of any is a file.
  Result<Case> drawn_case(uint64_t index, Choices& choices) const {
    constexpr uint64_t written_one_in = 16;
    return index % written_one_in == 0 ? generate(options_.system, choices, options_.on)
                                       : Result<Case>(draw_case(options_.system, choices, options_.on));
  }

  // A shape, a probe or a cause that no case had.
  Result<bool> note_news(const Observation& seen, const Case& the_case) {
    bool fresh = now().shapes.insert(seen.shape).second;
    for (const std::string& probe : seen.probes) {
      if (!now().probes.insert(probe).second) continue;
      fresh = true;
      if (told_.news) RELOADLAB_TRY(told_.news(probe, the_case));
    }
    for (const Cause& cause : seen.causes) fresh |= !hunted_.found.contains(cause);
    if (fresh) now().last_new_seconds = since();
    return fresh;
  }

  // Laws that the control breaks as well say nothing of the candidate.
  void leave_to_control(const Case& the_case, Observation& seen) const {
    if (options_.control.empty() || seen.failed.empty()) return;
    const Observation control = observe(the_case, options_.control, engine_);
    const auto left = [&](const std::string& law) { return std::ranges::count(control.failed, law, &LawResult::law) > 0; };
    std::erase_if(seen.failed, [&](const LawResult& law) { return left(law.law); });
    std::erase_if(seen.causes, [&](const Cause& cause) { return left(cause.law); });
  }

  // A share of the cases is spoiled besides: what is no scenario any more has to be refused, and told where.
  void check_refusal(uint64_t index, const Case& drawn) {
    constexpr uint64_t one_in = 32;
    if (mix64(index + 1) % one_in != 0) return;
    ++now().refused;
    const uint64_t seed = seed_of(options_.seed, index);
    const std::string wrong = now().refused % 4 == 0 ? played_from_nowhere(drawn) : misread(drawn, seed);
    if (!wrong.empty()) hunted_.defect = fmt::format("case {}, spoiled: {}", index, wrong);
  }
  std::string played_from_nowhere(const Case& drawn) const {
    const Observation seen = observe(from_nowhere(drawn), options_.candidate, engine_);
    return seen.end == End::bad_data || seen.end == End::skipped ? "" : "its checkpoints are no files, expected a refusal; " + seen.reason;
  }

  Status meet(const Cause& cause, uint64_t index, const Answers& answers, const Case& the_case, const Observation& seen) {
    const auto [found, fresh] = hunted_.found.try_emplace(cause);
    Found& one = found->second;
    if (++one.count > 1) return {};
    one.cause = cause, one.first = static_cast<int64_t>(index), one.seconds = since();
    if (options_.known.contains(cause) || gone_on_.contains(cause)) return {};
    // As it is, first: making it small takes long, and may be the last that this process does.
    one.token = {options_.system, options_.candidate, the_case.world, answers};
    one.the_case = the_case, one.smallest = false;
    take_law(one, seen);
    if (told_.met) RELOADLAB_TRY(told_.met(one));
    const auto before = options_.unfinished.find(cause);
    const Answers& large = before == options_.unfinished.end() ? answers : before->second;
    return make_small(one, large, {options_.shrink_tries, [this] { return shrinking_is_over(options_, since()); }});
  }

  Status make_small(Found& one, const Answers& large, const ShrinkLimits& limits) {
    const Cause& cause = one.cause;
    RELOADLAB_ASSIGN(Shrunk shrunk, shrink(options_.system, large, shown_quickly(cause, large), limits, options_.on));
    one.token = {options_.system, options_.candidate, shrunk.the_case.world, std::move(shrunk.answers)};
    one.the_case = std::move(shrunk.the_case), one.smallest = shrunk.ended;
    take_law(one, observe(one.the_case, options_.candidate, engine_, one.cause.law == kSameAgain));
    return told_.found ? told_.found(one) : Status();
  }

  // Whether a case shows the cause. One law needs few executions, where it finds the same by them as when all are judged.
  std::function<bool(const Case&)> shown_quickly(const Cause& cause, const Answers& answers) const {
    const bool twice = cause.law == kSameAgain;
    const auto shows = [this, cause, twice](const Case& the_case) {
      Observation seen = observe(the_case, options_.candidate, engine_, twice);
      if (seen.shows(cause)) leave_to_control(the_case, seen);
      return seen.shows(cause);
    };
    const auto alone = [shows, cause](Case the_case) {
      the_case.laws = {cause.law};
      return shows(the_case);
    };
    Choices choices(answers);
    const Result<Case> the_case = generate(options_.system, choices, options_.on);
    const auto laws = engine_.law_ids();
    if (!the_case.ok() || std::ranges::count(laws, cause.law) == 0 || !alone(*the_case)) return shows;
    return [shows, alone](const Case& smaller) { return alone(smaller) && shows(smaller); };
  }

  // As its case shows it.
  static void take_law(Found& one, const Observation& seen) {
    const auto law = std::ranges::find(seen.failed, one.cause.law, &LawResult::law);
    if (law != seen.failed.end()) one.law = *law;
  }

  const HuntOptions& options_;
  const Engine& engine_;
  const Told& told_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  Novelty novelty_;
  std::set<Cause> gone_on_;
  Hunted hunted_;
};

}  // namespace

bool shrinking_is_over(const HuntOptions& options, double since) {
  constexpr double least = 10, share = 0.1;
  return options.seconds && since >= *options.seconds + std::max(least, share * *options.seconds);
}

Result<Hunted> hunt(const HuntOptions& options, const Engine& engine, const Told& told) { return Hunt(options, engine, told).run(); }

}  // namespace reloadlab::sim::fuzz
