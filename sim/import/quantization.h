#pragma once
// What a config.json says about weights that come quantized, as far as architectures can be told. No LibTorch here.
#include <string>

#include "reference/base/status.h"
#include "reference/model/architecture/architecture.h"
#include "sim/checkpoint/json_tree.h"

namespace reloadlab::sim {

// The architecture's key `expert_scales` for a `quantization_config`: "block" for 8-bit floats with the scales of blocks of 128×128,
// "none" where only caches of keys and values have scales. Code::data, with the place in the file, for everything else.
Result<std::string> expert_scales_of(const JsonNode& quantization, const model::ArchitectureInfo& architecture, const Origin& origin);

}  // namespace reloadlab::sim
