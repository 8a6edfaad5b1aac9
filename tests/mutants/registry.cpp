#include <algorithm>

#include "reference/base/nearest.h"
#include "sim/candidate/builtin.h"
#include "tests/mutants/around.h"
#include "tests/mutants/plain_reloader.h"
#include "tests/mutants/ring_wrong.h"
#include "tests/mutants/wrappers.h"

namespace reloadlab::mutants {
namespace {

constexpr Mutant kMutants[] = {
    {Wrong::none, "none", ""},
    {Wrong::stale_derived, "stale_derived", "derived_fresh"},
    {Wrong::padding_zeroed, "padding_zeroed", "cold_load_equal"},
    {Wrong::late_zeroed, "late_zeroed", "return_exact"},
    {Wrong::order_swayed, "order_swayed", "order_free"},
    {Wrong::finish_only, "finish_only", "written_once"},
    {Wrong::fresh_storage, "fresh_storage", "address_stable"},
    {Wrong::hook_left, "hook_left", "no_residue"},
    {Wrong::mark_cleared, "mark_cleared", "no_residue"},
    {Wrong::source_zeroed, "source_zeroed", "no_residue"},
    {Wrong::late_lapse, "late_lapse", "cold_load_equal"},
    {Wrong::attributes_dropped, "attributes_dropped", "no_residue"},
    {Wrong::wrapper_left, "wrapper_left", "no_residue"},
    {Wrong::hoarding, "hoarding", "memory_bound"},
    {Wrong::derives_twice, "derives_twice", "event_order"},
    {Wrong::silent, "silent", "coverage_reported"},
    {Wrong::lax, "lax", "coverage_reported"},
    {Wrong::no_rollback, "no_rollback", "failure_atomic"},
    {Wrong::handle_kept, "handle_kept", "no_leak"},
    {Wrong::layer_kept, "layer_kept", "no_leak"},
    {Wrong::batch_lost, "batch_lost", "order_free"},
    {Wrong::sums, "sums", "cold_load_equal"},
    {Wrong::swapped_shards, "swapped_shards", "written_once"},
    {Wrong::dropped_last, "dropped_last", "cold_load_equal"},
    {Wrong::early_copy, "early_copy", "event_order"},
    {Wrong::throwing, "throwing", "failure_atomic"},
    {Wrong::walks_all, "walks_all", "work_bound"},
    {Wrong::source_cached, "source_cached", "cold_load_equal"},
    {Wrong::others_kept, "others_kept", "memory_bound"},
    {Wrong::direct_bound, "direct_bound", "coverage_reported"},
    {Wrong::learns_first, "learns_first", "cold_load_equal"},
    {Wrong::ranks_apart, "ranks_apart", "ranks_alike"},
    {Wrong::tables_dropped, "tables_dropped", "cold_load_equal"},
    {Wrong::tables_left_dead, "tables_left_dead", "cold_load_equal"},
    {Wrong::nothing_received, "nothing_received", "cold_load_equal"},
};

std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const Mutant& mutant : kMutants) names.emplace_back(mutant.name);
  for (const Around& mutant : around_mutants()) names.emplace_back(mutant.name);
  for (const RingMutant& mutant : ring_mutants()) names.emplace_back(mutant.name);
  return names;
}

Result<sim::CandidateInfo> make(const std::string& name) {
  const std::vector<std::string> names = all_names();
  if (std::ranges::find(names, name) == names.end())
    return Status(Code::usage, "no mutant is called \"" + name + "\"" + did_you_mean(name, names));
  if (name.starts_with("ring_")) return make_ring(name);
  const auto found = std::ranges::find(kMutants, name, &Mutant::name);
  if (found == std::end(kMutants)) return make_around(name);
  sim::CandidateInfo info{.name = "mutant@" + name, .system = "layerwise"};
  info.declared = {{"abort", "backup"},           {"excess", "warn"},         {"missing", "warn"}, {"unexpected", "warn"},
                   {"buffering", "by_reference"}, {"completion", "elements"}, {"misuse", "error"}, {"reports", "yes"}};
  if (found->wrong == Wrong::lax) info.declared["excess"] = info.declared["missing"] = "reject";
  info.make_reloader = [wrong = found->wrong](const sim::CandidateContext& context) -> Result<std::unique_ptr<sim::Reloader>> {
    if (wrong == Wrong::nothing_received) return nothing_received(context);
    return std::unique_ptr<sim::Reloader>(std::make_unique<PlainReloader>(wrong, context));
  };
  return info;
}

}  // namespace

std::span<const Mutant> all_mutants() { return kMutants; }

void register_mutants() {
  sim::register_candidate("mutant", make);
  sim::register_profiles("mutant", all_names());
}

}  // namespace reloadlab::mutants
