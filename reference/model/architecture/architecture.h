#pragma once
// Architectures: a few keys that expand into a list of layers, and a forward that uses them. "layers" is no architecture: there the
// list is given, and the forward is that of each layer on its own (forward.h). No LibTorch header here.
#include <span>

#include "reference/base/status.h"
#include "reference/model/spec.h"

namespace reloadlab::model {

struct ArchitectureInfo {
  std::string_view id;
  std::string_view about;
  std::vector<KeyInfo> keys;  // an integer `blocks` among them
  // Appends the layers. REQUIRES that the values have passed check().
  void (*expand)(ModelSpec& spec);
  Status (*check)(const ModelSpec& spec);
};

// A number of blocks comes from a file, and each is made of layers before anybody counts them.
inline constexpr int64_t blocks_most = 1024;

std::span<const ArchitectureInfo> architectures();
const ArchitectureInfo* find_architecture(std::string_view id);  // null when there is none, and for "layers"

// Fills in the defaults of the architecture's keys and makes the layers, which must be empty. A list of layers stays as it is.
Status expand_architecture(ModelSpec& spec);

// An encoder of the BERT family, for files of sentence-transformers' MiniLM and the like.
ArchitectureInfo bert();
// Decoders with grouped heads and one dense MLP a block: Llama, Mistral, Qwen2 (biases), Qwen3 (normalized heads).
ArchitectureInfo llama();
// The same with experts in place of the MLP: Qwen2-MoE (a shared expert), Qwen3-MoE.
ArchitectureInfo qwen_moe();
// Decoders with latent attention and, after the first blocks, experts: DeepSeek-V2 and -V3.
ArchitectureInfo deepseek();

}  // namespace reloadlab::model
