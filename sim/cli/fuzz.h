#pragma once
// What `fuzz` was asked for, for its parts.
#include <string>

#include "sim/fuzz/summary.h"

namespace reloadlab::sim {

struct FuzzTexts {
  fuzz::HuntOptions options;
  std::string seed, seconds, shard, summary, store = "out/fuzz";
  int64_t cases = 0;
  int jobs = 1;
  bool part = false;  // of a campaign of several processes, which tells what all came to
};

// The campaign as texts.jobs processes, each told to be a part.
Result<fuzz::Summary> fuzz_in_processes(const FuzzTexts& texts, const fuzz::HuntOptions& options);

}  // namespace reloadlab::sim
