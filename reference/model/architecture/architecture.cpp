#include "reference/model/architecture/architecture.h"

#include <fmt/format.h>

namespace reloadlab::model {

std::span<const ArchitectureInfo> architectures() {
  static const ArchitectureInfo all[] = {bert(), llama(), qwen_moe(), deepseek()};
  return all;
}

const ArchitectureInfo* find_architecture(std::string_view id) {
  for (const ArchitectureInfo& each : architectures())
    if (each.id == id) return &each;
  return nullptr;
}

Status expand_architecture(ModelSpec& spec) {
  if (spec.architecture == "layers") return {};
  const ArchitectureInfo* architecture = find_architecture(spec.architecture);
  if (!architecture) return Status(Code::data, fmt::format("there is no architecture \"{}\"", spec.architecture));
  if (!spec.layers.empty()) return Status(Code::data, fmt::format("architecture {} makes its layers itself", spec.architecture));
  for (const KeyInfo& key : architecture->keys)
    if (!key.required) spec.values.try_emplace(std::string(key.name), key.fallback);
  if (const int64_t blocks = std::get<int64_t>(spec.values.find("blocks")->second); blocks > blocks_most)
    return Status(Code::data, fmt::format("{} blocks, expected at most {}", blocks, blocks_most));
  RELOADLAB_TRY(architecture->check(spec));
  architecture->expand(spec);
  return {};
}

}  // namespace reloadlab::model
