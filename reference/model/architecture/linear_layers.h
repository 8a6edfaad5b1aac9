#pragma once
// Linear layers of decoders, in the form in which checkpoints bring their weights. One key, `weights`, says it of all of them and of
// experts; embeddings, norms, routers and heads are always plain.
//
//   plain    the model's own type                                          quantized after loading as `quant` and `expert_quant` say
//   scaled   e4m3 with weight_scale_inv, the scales of blocks of 128×128   whose post-load step is loaded_fp8_block
//   packed   4-bit integers in words with scales of groups                 whose post-load steps are wna16 and experts_wna16
#include "reference/model/architecture/layer_list.h"

namespace reloadlab::model {

std::vector<KeyInfo> weight_keys();         // plain or scaled
std::vector<KeyInfo> packed_weight_keys();  // packed as well, with the sizes of its groups

struct Linear {
  std::string name;
  int64_t in, out;
  bool bias = false;  // of plain weights
};
void add_column_parallel(LayerList& layers, Linear linear);
void add_row_parallel(LayerList& layers, Linear linear);
void add_replicated(LayerList& layers, Linear linear);
// Siblings below one another in one layer.
void add_merged(LayerList& layers, std::string name, int64_t in, std::vector<int64_t> outs, std::string names);

struct GroupedHeads {
  std::string name;
  int64_t hidden, heads, kv_heads, head_dim;  // kv_heads 0: as many as heads
  bool bias;
};
void add_query_key_value(LayerList& layers, GroupedHeads heads);

// A projection that attention absorbs: plain, what it reads must be as it was loaded; scaled, it reads what that stands for.
void add_absorbed(LayerList& layers, Linear linear);

// Stacks of experts; `values` are all that do not depend on the form.
void add_expert_stacks(LayerList& layers, std::string name, Values values);

// Weights that come quantized are not quantized again, and have no biases.
Status check_weights(const ModelSpec& spec);

}  // namespace reloadlab::model
