// The layers of a dense decoder with grouped heads.
#include "reference/model/architecture/decoder.h"
#include "reference/model/architecture/linear_layers.h"

namespace reloadlab::model {
namespace {

void expand(ModelSpec& spec) {
  LayerList layers(spec);
  add_inputs(layers, head_dim_of(layers));
  for (int64_t block = 0; block < layers.integer("blocks"); ++block) {
    add_grouped_attention(layers, block);
    add_mlp(layers, block_path(block, "mlp"), layers.integer("intermediate"));
    add_block_norms(layers, block);
  }
  add_outputs(layers);
}

}  // namespace

ArchitectureInfo llama() {
  return {.id = "llama",
          .about = "dense decoder of the Llama and Qwen families; without keys it is Llama-3-8B",
          .keys = joined_keys({decoder_keys({.vocab = 128256,
                                             .hidden = 4096,
                                             .heads = 32,
                                             .blocks = 32,
                                             .intermediate = 14336,
                                             .max_position = 8192,
                                             .rope_base = 500000,
                                             .eps = 1e-5}),
                               grouped_head_keys({.kv_heads = 8, .head_dim = 0, .qk_norm = false}), packed_weight_keys()}),
          .expand = expand,
          .check = check_grouped_heads};
}

}  // namespace reloadlab::model
