#pragma once
// Small cases said in a few words: a fused qkv layer and a column-parallel one, loaded with A and reloaded to B.
#include <string>
#include <vector>

#include "sim/scenario/case.h"

namespace reloadlab::sim {

model::LayerSpec qkv_layer(const std::string& name = "attn.qkv");
model::LayerSpec linear_layer(const std::string& name, const std::string& quant = "none");
Case tiny_case(std::vector<model::LayerSpec> layers, int ranks = 1);

Step load_step(const std::string& checkpoint);
Step reload_step(const std::string& checkpoint);

}  // namespace reloadlab::sim
