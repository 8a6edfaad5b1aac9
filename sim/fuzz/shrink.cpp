#include "sim/fuzz/shrink.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <set>
#include <utility>

#include "reference/model/kind.h"
#include "sim/fuzz/draw_plan.h"
#include "sim/fuzz/generate.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim::fuzz {
namespace {

class Shrinker {
 public:
  Shrinker(const std::string& system, const std::function<bool(const Case&)>& holds, const ShrinkLimits& limits,
           std::optional<WorldKind> on)
      : system_(system), holds_(holds), limits_(limits), on_(on) {}

  Result<Shrunk> shrink(const Answers& answers) {
    Choices choices(answers);
    RELOADLAB_ASSIGN(best_, generate(system_, choices, on_));
    choices_ = std::move(choices);
    measure_ = {size_of(best_), total(choices_)};
    while (pass() && !used_up()) continue;
    return Shrunk{choices_.answers(), best_, tries_, !used_up()};
  }

 private:
  // Of two cases of a size the one with simpler answers: what looks less far ahead can do with fewer layers then.
  using Measure = std::pair<Size, uint64_t>;
  static uint64_t total(const Choices& choices) {
    const auto& taken = choices.taken();
    return std::accumulate(taken.begin(), taken.end(), uint64_t{0}, [](uint64_t sum, const Choice& choice) { return sum + choice.value; });
  }

  bool used_up() const { return tries_ >= limits_.tries || (limits_.time_is_up && limits_.time_is_up()); }

  // What is asked first is what weighs most; whenever something went, it is asked from the beginning.
  bool pass() {
    for (const About about : kAbouts)
      if (zero_all(about) || leave_out(about) || lower(about)) return true;
    return leave_out_several(About::layer) || leave_out_several(About::step);
  }

  bool zero_all(About about) {
    Answers answers = choices_.answers();
    for (const Choice& choice : choices_.taken())
      if (choice.about == about) answers[choice.list][choice.place] = 0;
    return take(answers);
  }

  // A layer or a step, the last one first.
  bool leave_out(About about) {
    const std::vector<Stretch> stretches = choices_.stretches();
    bool any = false;
    for (size_t i = stretches.size(); i-- > 0 && !used_up();) {
      const Stretch& stretch = stretches[i];
      if (stretch.about != about || any) continue;
      Answers answers = choices_.answers();
      auto& list = answers[stretch.list];
      const bool whole = stretch.begin == 0 && stretch.end == list.size();
      if (whole)
        answers.erase(answers.begin() + static_cast<std::ptrdiff_t>(stretch.list));
      else
        list.erase(list.begin() + static_cast<std::ptrdiff_t>(stretch.begin), list.begin() + static_cast<std::ptrdiff_t>(stretch.end));
      any = take(answers);
    }
    return any;
  }

  // The last ones, where none can go alone: windows divide as many layers as there are, or do not. Each number of them, as it is and with
  // another size of the whole case, as what looks less far ahead.
  bool leave_out_several(About about) {
    const std::vector<Stretch> stretches = choices_.stretches();
    std::vector<size_t> lists;
    for (const Stretch& stretch : stretches)
      if (stretch.about == about && stretch.begin == 0 && stretch.end == choices_.answers()[stretch.list].size())
        lists.push_back(stretch.list);
    Answers fewer = choices_.answers();
    for (size_t left = lists.size(), gone = 0; left-- > 1 && !used_up();) {
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(lists[left]));
      if (++gone > 1 && (take(fewer) || take_with_other_size(fewer))) return true;
    }
    return false;
  }

  bool take_with_other_size(const Answers& answers) {
    constexpr uint32_t most = 3;
    for (const Choice& choice : choices_.taken())
      for (uint32_t value = 0; choice.about == About::size && choice.list == 0 && value <= most; ++value) {
        Answers other = answers;
        other[0][choice.place] = value;
        if (take(other)) return true;
      }
    return false;
  }

  // Each choice to zero, or as near to it as it goes.
  bool lower(About about) {
    bool any = false;
    for (size_t i = 0; i < choices_.taken().size() && !used_up(); ++i) {
      const Choice choice = choices_.taken()[i];
      if (choice.about != about || choice.value == 0) continue;
      const std::set<uint32_t> values{0, choice.value / 2, choice.value - 1};
      any |= std::ranges::any_of(values, [&](uint32_t value) { return take_with(choice, value); });
    }
    return any;
  }

  bool take_with(const Choice& choice, uint32_t value) {
    Answers answers = choices_.answers();
    answers[choice.list][choice.place] = value;
    return take(answers);
  }

  // Whether the answers give a smaller case that holds; it then is the one to go on from.
  bool take(const Answers& answers) {
    if (used_up() || !tried_.insert(answers).second) return false;
    Choices choices(answers);
    Result<Case> smaller = generate(system_, choices, on_);
    if (!smaller.ok()) return false;
    const Measure measure{size_of(*smaller), total(choices)};
    if (measure >= measure_ || (++tries_, !holds_(*smaller))) return false;
    best_ = *std::move(smaller), choices_ = std::move(choices), measure_ = measure;
    return true;
  }

  const std::string& system_;
  const std::function<bool(const Case&)>& holds_;
  const ShrinkLimits& limits_;
  const std::optional<WorldKind> on_;
  int64_t tries_ = 0;
  std::set<Answers> tried_;
  Case best_;
  Choices choices_{Answers()};
  Measure measure_{};
};

}  // namespace

Size size_of(const Case& the_case) {
  int64_t parameters = 0, elements = 0, calls = 0;
  for (const model::LayerSpec& layer : the_case.model.layers)
    for (const model::SlotSpec& slot : model::find_layer_kind(layer.kind)->slots(layer, the_case.parallel(0)))
      ++parameters, elements += numel(slot.shape);
  for (const Step& step : the_case.steps)
    if (!step.plan.checkpoint.empty()) calls += load_calls(the_case, step.plan);
  const auto count = [](const auto& list) { return static_cast<int64_t>(list.size()); };
  return {the_case.ranks,
          count(the_case.model.layers),
          parameters,
          elements,
          count(the_case.steps),
          calls,
          count(emit(the_case)),
          static_cast<int64_t>(std::ranges::count_if(the_case.model.layers, [](const auto& layer) { return layer.dtype != DType::bf16; }))};
}

Result<Shrunk> shrink(const std::string& system, const Answers& answers, const std::function<bool(const Case&)>& holds,
                      const ShrinkLimits& limits, std::optional<WorldKind> on) {
  return Shrinker(system, holds, limits, on).shrink(answers);
}

}  // namespace reloadlab::sim::fuzz
