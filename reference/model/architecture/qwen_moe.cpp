// The layers of a decoder with grouped heads and experts: every `sparse_step`-th block has experts but those that are said to
// be dense, the others a dense MLP. Beside the experts there may be one that every token goes to, behind a gate of its own.
#include <algorithm>

#include "reference/model/architecture/decoder.h"
#include "reference/model/architecture/linear_layers.h"

namespace reloadlab::model {
namespace {

void add_sparse_qwen(LayerList& layers, int64_t block) {
  add_experts(layers, block, /*correction_bias=*/false);
  const int64_t shared = layers.integer("shared_intermediate");
  if (shared == 0) return;
  add_mlp(layers, block_path(block, "mlp.shared_expert"), shared);
  layers.add(block_path(block, "mlp.shared_expert_gate"), "replicated_linear", {{"in", layers.integer("hidden")}, {"out", int64_t{1}}});
}

bool is_sparse(const LayerList& layers, int64_t block) {
  return (block + 1) % layers.integer("sparse_step") == 0 && !std::ranges::count(layers.integers("mlp_only_blocks"), block);
}

void expand_qwen(ModelSpec& spec) {
  LayerList layers(spec);
  add_inputs(layers, head_dim_of(layers));
  for (int64_t block = 0; block < layers.integer("blocks"); ++block) {
    add_grouped_attention(layers, block);
    if (is_sparse(layers, block)) {
      add_sparse_qwen(layers, block);
    } else {
      add_mlp(layers, block_path(block, "mlp"), layers.integer("intermediate"));
    }
    add_block_norms(layers, block);
  }
  add_outputs(layers);
}

}  // namespace

ArchitectureInfo qwen_moe() {
  return {.id = "qwen_moe",
          .about = "decoder of the Qwen families with experts; without keys it is Qwen3-30B-A3B",
          .keys = joined_keys(
              {decoder_keys({.vocab = 151936,
                             .hidden = 2048,
                             .heads = 32,
                             .blocks = 48,
                             .intermediate = 6144,
                             .max_position = 40960,
                             .rope_base = 1000000,
                             .eps = 1e-6}),
               grouped_head_keys({.kv_heads = 4, .head_dim = 128, .qk_norm = true}),
               expert_keys({.experts = 128, .top_k = 8, .intermediate = 768}),
               packed_weight_keys(),
               {size_key("sparse_step", 1, "one block in so many has experts"),
                {.name = "mlp_only_blocks",
                 .type = KeyInfo::Type::integers,
                 .fallback = std::vector<int64_t>{},
                 .minimum = 0,
                 .about = "numbers of blocks that have a dense MLP all the same"},
                size_key("shared_intermediate", 0, "elements between the linear layers of the shared expert; 0: there is none", 0)}}),
          .expand = expand_qwen,
          .check = check_grouped_heads};
}

}  // namespace reloadlab::model
