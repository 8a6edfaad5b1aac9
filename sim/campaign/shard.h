#pragma once
// A part of a run's cases, for machines that play it side by side. Cases are dealt in their order, one to each shard in turn, each with all
// of its candidates: every case is in one shard, whatever machine it is, as long as all of them ask for the same cases.
#include <optional>
#include <string>

#include "sim/campaign/variables.h"

namespace reloadlab::sim {

struct Shard {
  int index = 0, count = 1;  // from 0
  std::string said_by;       // "--shard", "GTEST_SHARD_INDEX": for people
};

// "2/8": the second of eight, whatever the environment says. "8": of eight, that which SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX names.
// Empty: as GTEST_TOTAL_SHARDS and GTEST_SHARD_INDEX say, or the variables of a Slurm array; none where these say nothing. Code::usage.
Result<std::optional<Shard>> read_shard(const std::string& text, const Variables& environment);

}  // namespace reloadlab::sim
