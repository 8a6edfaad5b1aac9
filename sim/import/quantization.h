#pragma once
// What a config.json says about weights that come quantized, as far as architectures can be told. No LibTorch here.
#include "reference/base/scalar.h"
#include "reference/base/status.h"
#include "reference/model/architecture/architecture.h"
#include "sim/checkpoint/json_tree.h"

namespace reloadlab::sim {

// The architecture's key `weights`, and those that go with it, for a `quantization_config`; none where only caches of keys and values
// have scales:
//
//   fp8, weight_block_size [128, 128]                   weights: scaled
//   compressed-tensors, pack-quantized, int of 4 bits   weights: packed, with group and zero_points
//
// Code::data, with the place in the file, for everything else.
Result<Values> weights_of(const JsonNode& quantization, const model::ArchitectureInfo& architecture, const Origin& origin);

}  // namespace reloadlab::sim
