#include "reference/model/kinds/registry.h"

#include "reference/base/check.h"

namespace reloadlab::model {

std::span<const LayerKind* const> layer_kinds() {
  static const LayerKind* const kinds[] = {&vocab_parallel_embedding(),
                                           &column_parallel_linear(),
                                           &row_parallel_linear(),
                                           &replicated_linear(),
                                           &merged_column_parallel_linear(),
                                           &qkv_parallel_linear(),
                                           &packed_column_parallel_linear(),
                                           &scaled_column_parallel_linear(),
                                           &packed_row_parallel_linear(),
                                           &scaled_row_parallel_linear(),
                                           &scaled_replicated_linear(),
                                           &parallel_lm_head(),
                                           &norm(),
                                           &embedding(),
                                           &buffers(),
                                           &composed(),
                                           &scalars(),
                                           &attention(),
                                           &hadamard(),
                                           &custom_loader(),
                                           &fused_experts(),
                                           &mla_attention(),
                                           &rotary_embedding(),
                                           &mamba_mixer(),
                                           &lora_adapter()};
  return kinds;
}

const LayerKind* find_layer_kind(std::string_view id) {
  for (const LayerKind* kind : layer_kinds())
    if (kind->id() == id) return kind;
  return nullptr;
}

void fill_defaults(LayerSpec& spec) {
  const LayerKind* kind = find_layer_kind(spec.kind);
  RELOADLAB_CHECK(kind, "unknown layer kind " + spec.kind);
  for (const KeyInfo& key : kind->keys())
    if (!key.required) spec.values.try_emplace(std::string(key.name), key.fallback);
}

}  // namespace reloadlab::model
