#include <fmt/format.h>

#include <algorithm>

#include "tests/mutants/plain_ring.h"

namespace reloadlab::mutants {
namespace {

using enum RingWrong;

constexpr RingMutant kRingMutants[] = {
    {none, "ring_none", ""},
    {none, "ring_static", "", true},
    {no_wait, "ring_no_wait", "ring_happens_before"},
    {other_stream, "ring_other_stream", "ring_happens_before"},
    {wait_of_previous, "ring_wait_of_previous", "ring_happens_before"},
    {waits_for_all, "ring_waits_for_all", "ring_overwait"},
    {wait_forgets, "ring_wait_forgets", "ring_happens_before"},
    {readers_forgotten, "ring_readers_forgotten", "ring_happens_before"},
    {fork_missing, "ring_fork_missing", "ring_happens_before"},
    {copy_dropped, "ring_copy_dropped", "ring_happens_before"},
    {evicts_at_start, "ring_evicts_at_start", "ring_happens_before"},
    {absolute_target, "ring_absolute_target", "ring_lookahead"},
    {one_less_ahead, "ring_one_less_ahead", "ring_lookahead"},
    {relative_root, "ring_relative_root", "ring_content"},
    {global_root, "ring_global_root", "rank_agreement"},
    {sent_twice, "ring_sent_twice", "ring_lookahead"},
    {owner_silent, "ring_owner_silent", "ring_sequence"},
    {late_on_odd, "ring_late_on_odd", "ring_sequence"},
    {halves_on_odd, "ring_halves_on_odd", "ring_sequence"},
    {backwards_on_odd, "ring_backwards_on_odd", "ring_sequence"},
    {tells_a_peer, "ring_tells_a_peer", "ring_sequence"},
    {spare_window, "ring_spare_window", "ring_memory"},
    {window_more, "ring_window_more", "ring_memory"},
    {window_less, "ring_window_less", "ring_tenancy"},
    {kept_storage, "ring_kept_storage", "ring_memory"},
    {orphan, "ring_orphan", "ring_memory"},
    {first_shape, "ring_first_shape", "rank_agreement"},
    {windows_first, "ring_windows_first", "rank_agreement"},
    {shared_room, "ring_shared_room", "ring_content"},
    {fresh_windows, "ring_fresh_windows", "ring_address"},
    {moved_by_reload, "ring_moved_by_reload", "graph_replay"},
    {swapped_windows, "ring_swapped_windows", "ring_tenancy"},
    {slot_unset, "ring_slot_unset", "ring_content"},
    {refill_ahead, "ring_static_refill_ahead", "ring_tenancy", true},
    {padding_lost, "ring_padding_lost", "ring_content"},
    {takes_parts, "ring_takes_parts", "rank_agreement"},
    {built_early, "ring_built_early", "ring_content"},
    {processed_apart, "ring_processed_apart", "ring_content"},
    {step_lost, "ring_step_lost", "ring_content"},
    {first_not_primed, "ring_first_not_primed", "ring_content"},
    {none_primed, "ring_none_primed", "ring_content"},
    {primes_in_turn, "ring_primes_in_turn", "ring_overwait"},
    {scales_moved, "ring_scales_moved", "address_stable"},
    {scales_as_buffers, "ring_scales_as_buffers", "no_residue"},
    {committed_on_one, "ring_committed_on_one", "ring_content"},
    {reload_undrained, "ring_reload_undrained", "ring_happens_before"},
    {refused_on_one, "ring_refused_on_one", "rank_agreement"},
    {loads_at_any_time, "ring_loads_at_any_time", "rank_agreement"},
    {trusting, "ring_trusting", "ring_content"},
    {captures_any, "ring_captures_any", "rank_agreement"},
    {any_look_ahead, "ring_any_look_ahead", "rank_agreement"},
    {any_indices, "ring_any_indices", "rank_agreement"},
    {asserts_absence, "ring_asserts_absence", "rank_agreement"},
    {drains_nothing, "ring_static_drains_nothing", "rank_agreement", true},
    {moved_by_reload, "ring_static_moved_by_reload", "graph_replay", true},
    {resets_nothing, "ring_resets_nothing", "rank_agreement"},
    {reset_keeps_offset, "ring_reset_keeps_offset", "ring_tenancy"},
    {waits_in_vain, "ring_waits_in_vain", "rank_agreement"},
    {process_wide, "ring_process_wide", "rank_agreement"},
    {one_refuses, "ring_one_refuses", "rank_agreement"},
};

}  // namespace

std::span<const RingMutant> ring_mutants() { return kRingMutants; }

std::string_view ring_control(std::string_view name) {
  const auto found = std::ranges::find(kRingMutants, name, &RingMutant::name);
  return found != std::end(kRingMutants) && found->fixed ? kRingMutants[1].name : kRingMutants[0].name;
}

// What is in no series is reloaded by the hardened layerwise reload.
Result<sim::CandidateInfo> make_ring(std::string_view name) {
  const auto found = std::ranges::find(kRingMutants, name, &RingMutant::name);
  if (found == std::end(kRingMutants)) return Status(Code::usage, fmt::format("no mutant is called \"{}\"", name));
  RELOADLAB_ASSIGN(sim::CandidateInfo info, sim::find_candidate("layerwise@hardened"));
  info.name = fmt::format("mutant@{}", name);
  info.system = "shared_series";
  info.declared["binding"] = found->fixed ? "static" : "rolling";
  info.make_series = [how = *found](const sim::CandidateContext& context,
                                    const model::SeriesContext& series) -> Result<std::unique_ptr<sim::WeightSeries>> {
    return std::unique_ptr<sim::WeightSeries>(std::make_unique<PlainRing>(how.wrong, how.fixed, context.rank, series));
  };
  return info;
}

}  // namespace reloadlab::mutants
