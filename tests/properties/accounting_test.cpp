// Elements that count towards progress are those that had not been written before, whatever comes how often: by the plan, and of experts
// by a count of their own, from nothing but where experts stand.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

#include "sim/replay/catalogue.h"
#include "tests/properties/draw.h"
#include "tests/properties/draw_values.h"
#include "tests/properties/hold.h"

namespace reloadlab::sim {
namespace {

// Elements counted towards progress, by step and layer, as the candidate reports them.
std::map<std::pair<int, int>, int64_t> counted(const RankRun& run) {
  std::map<std::pair<int, int>, int64_t> sums;
  for (const Event& event : run.events)
    if (event.kind == EventKind::load_counted) sums[{event.step, event.layer}] += event.numel;
  return sums;
}

// Elements of its padding that the layer's loader writes with the first load of an update.
int64_t padded_by_loader(const model::LayerSpec& spec, model::TensorParallel tp, const PlannedLoad& load) {
  const auto pads = spec.values.find("loader_pads");
  if (pads == spec.values.end() || !std::get<bool>(pads->second)) return 0;
  return numel(model::find_layer_kind(spec.kind)->slots(spec, tp).front().shape) - load.fresh;
}

std::map<std::pair<int, int>, int64_t> planned(const Evidence& evidence, int rank) {
  std::map<std::pair<int, int>, int64_t> sums;
  for (const PlannedLoad& load : evidence.plan[static_cast<size_t>(rank)].loads) {
    const auto layer = std::ranges::find(evidence.the_case.model.layers, load.layer, &model::LayerSpec::name);
    const auto index = static_cast<int>(std::ranges::find(evidence.layers, load.layer) - evidence.layers.begin());
    const auto [sum, first] = sums.try_emplace({load.step, index}, 0);
    sum->second += load.fresh + (first ? padded_by_loader(*layer, {rank, evidence.the_case.ranks}, load) : 0);
  }
  return sums;
}

RC_GTEST_PROP(Accounting, EqualsAnIndependentCountInAnyOrder, ()) {
  Case the_case = draw_case();
  draw_duplicates(the_case, the_case.steps[1].plan);
  const Evidence evidence = run(the_case);
  for (int rank = 0; rank < evidence.the_case.ranks; ++rank) {
    auto seen = counted(warm(evidence, rank));
    for (const auto& [key, elements] : planned(evidence, rank)) {
      const auto [step, layer] = key;
      require(evidence, seen[key] == elements, step,
              fmt::format("rank {}, {}: {} elements counted, {} were delivered", rank, evidence.layers[static_cast<size_t>(layer)],
                          seen[key], elements));
    }
  }
}

model::LayerSpec draw_mapped_experts(int ranks) {
  const int64_t places = ranks * draw_between(1, 3), redundant = flip() ? draw_between(0, places / 2) : 0;
  const bool dealt = redundant > 0 || flip();
  return layer("moe", "fused_experts",
               {{"hidden", draw_between(1, 4)},
                {"intermediate", ranks * draw_between(1, 2)},
                {"experts", places - redundant},
                {"redundant", redundant},
                {"parallel", std::string(dealt ? "expert" : "tensor")},
                {"placement", draw_word({"linear", "round_robin"})},
                {"loader", draw_cutting_loader()}});
}

// Place l of rank r is the (r · places + l)th, or with experts dealt in turn the (l · ranks + r)th, of all experts and then the first
// ones once more.
int64_t places_on_rank(const model::LayerSpec& spec, int64_t expert, int rank, int ranks) {
  if (spec.text("parallel") == "tensor") return 1;
  const int64_t experts = spec.integer("experts"), local = (experts + spec.integer("redundant")) / ranks;
  int64_t count = 0;
  for (int64_t place = 0; place < local; ++place) {
    const int64_t number = spec.text("placement") == "linear" ? rank * local + place : place * ranks + rank;
    count += number % experts == expert;
  }
  return count;
}

int64_t elements_of_experts(const Case& the_case, const std::vector<std::string>& omitted, int rank) {
  const model::LayerSpec& spec = the_case.model.layers[0];
  const int64_t cut = spec.text("parallel") == "tensor" ? the_case.ranks : 1;
  const int64_t matrix = spec.integer("hidden") * spec.integer("intermediate") / cut;
  int64_t elements = 0;
  for (int64_t expert = 0; expert < spec.integer("experts"); ++expert)
    for (const char* projection : {"gate_proj", "down_proj", "up_proj"})
      if (!std::ranges::count(omitted, fmt::format("experts.{}.{}.weight", expert, projection)))
        elements += matrix * places_on_rank(spec, expert, rank, the_case.ranks);
  return elements;
}

RC_GTEST_PROP(Accounting, OfExpertsIsThatOfTheirPlacesOnTheRank, ()) {
  Case the_case = draw_case();
  the_case.model.layers = {draw_mapped_experts(the_case.ranks)};
  LoadPlan& plan = the_case.steps[1].plan;
  draw_duplicates(the_case, plan);
  const Catalogue catalogue(the_case.model);
  for (const model::Delivery& delivery : catalogue.deliveries())
    if (*rc::gen::inRange(0, 6) == 0 && plan.omit.size() + 1 < catalogue.deliveries().size()) plan.omit.push_back(delivery.name);
  std::erase_if(plan.repeat, [&](const LoadPlan::Repeat& repeat) { return std::ranges::count(plan.omit, repeat.tensor) > 0; });
  const Evidence evidence = run(the_case);
  for (int rank = 0; rank < the_case.ranks; ++rank) {
    auto seen = counted(warm(evidence, rank));
    for (const int step : {1, 2}) {
      const int64_t elements = elements_of_experts(the_case, the_case.steps[static_cast<size_t>(step)].plan.omit, rank);
      const int64_t found = seen[{step, static_cast<int>(std::ranges::find(evidence.layers, "moe") - evidence.layers.begin())}];
      require(evidence, found == elements, step, fmt::format("rank {}: {} elements counted, experts have {}", rank, found, elements));
    }
  }
  require_all_hold(evidence);
}

}  // namespace
}  // namespace reloadlab::sim
