#pragma once
// The laws' functions, one file each; registry.cpp lists them.
#include "sim/law/law.h"

namespace reloadlab::sim {

Verdict judge_cold_load_equal(const Evidence& evidence);
Verdict judge_derived_fresh(const Evidence& evidence);
Verdict judge_return_exact(const Evidence& evidence);
Verdict judge_order_free(const Evidence& evidence);
Verdict judge_written_once(const Evidence& evidence);
Verdict judge_address_stable(const Evidence& evidence);
Verdict judge_no_residue(const Evidence& evidence);
Verdict judge_memory_bound(const Evidence& evidence);
Verdict judge_work_bound(const Evidence& evidence);
Verdict judge_event_order(const Evidence& evidence);
Verdict judge_coverage_reported(const Evidence& evidence);
Verdict judge_failure_atomic(const Evidence& evidence);
Verdict judge_no_leak(const Evidence& evidence);
Verdict judge_ranks_alike(const Evidence& evidence);
Verdict judge_graph_replay(const Evidence& evidence);
Verdict judge_ring_content(const Evidence& evidence);
Verdict judge_ring_tenancy(const Evidence& evidence);
Verdict judge_ring_happens_before(const Evidence& evidence);
Verdict judge_ring_sequence(const Evidence& evidence);
Verdict judge_ring_lookahead(const Evidence& evidence);
Verdict judge_ring_overwait(const Evidence& evidence);
Verdict judge_ring_memory(const Evidence& evidence);
Verdict judge_ring_address(const Evidence& evidence);
Verdict judge_rank_agreement(const Evidence& evidence);

}  // namespace reloadlab::sim
