#pragma once
// Every layer kind, one function each: registry.cpp lists them.
#include "reference/model/kind.h"

namespace reloadlab::model {

const LayerKind& vocab_parallel_embedding();
const LayerKind& column_parallel_linear();
const LayerKind& row_parallel_linear();
const LayerKind& replicated_linear();
const LayerKind& merged_column_parallel_linear();
const LayerKind& qkv_parallel_linear();
const LayerKind& packed_column_parallel_linear();
const LayerKind& scaled_column_parallel_linear();
const LayerKind& packed_row_parallel_linear();
const LayerKind& scaled_row_parallel_linear();
const LayerKind& scaled_replicated_linear();
const LayerKind& parallel_lm_head();
const LayerKind& norm();
const LayerKind& embedding();
const LayerKind& buffers();
const LayerKind& composed();
const LayerKind& scalars();
const LayerKind& attention();
const LayerKind& hadamard();
const LayerKind& custom_loader();
const LayerKind& fused_experts();
const LayerKind& mla_attention();
const LayerKind& rotary_embedding();
const LayerKind& mamba_mixer();
const LayerKind& lora_adapter();

}  // namespace reloadlab::model
