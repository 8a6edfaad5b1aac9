#pragma once
// What the modelled devices say that a pass takes: the same implementation on them, without bytes, with rates that were measured here.
#include "sim/world/modelled/rates.h"

namespace reloadlab::bench {

struct PassModel {
  int ranks = 2;
  int64_t layers = 61, bytes = 0;  // of a layer's weight
  double layer_ms = 0;             // its GEMM alone
  sim::modelled::Rates rates;
};

// Milliseconds, of a pass behind another one.
double predicted_pass(const PassModel& model, int64_t prefetch);

}  // namespace reloadlab::bench
