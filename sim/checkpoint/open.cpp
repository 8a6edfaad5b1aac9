#include <fmt/format.h>

#include <algorithm>

#include "sim/checkpoint/checkpoint.h"

namespace reloadlab::sim {
namespace {

// `open` names the checkpoints that are being opened, from the one asked for down to its bases: none may come twice.
Result<std::shared_ptr<const Checkpoint>> open_named(const Case& the_case, const std::string& name, std::vector<std::string>& open) {
  auto named =
      std::find_if(the_case.checkpoints.begin(), the_case.checkpoints.end(), [&](const auto& entry) { return entry.first == name; });
  if (named == the_case.checkpoints.end()) return Status(Code::data, fmt::format("no checkpoint is called \"{}\"", name));
  if (std::find(open.begin(), open.end(), name) != open.end()) {
    return Status(Code::data, fmt::format("checkpoint \"{}\" is made from itself, expected a chain of bases that ends", name));
  }
  open.push_back(name);
  const CheckpointSpec& spec = named->second;
  switch (spec.source) {
    case CheckpointSpec::Source::synthetic:
      return std::shared_ptr<const Checkpoint>(synthetic_checkpoint(spec.seed));
    case CheckpointSpec::Source::safetensors: {
      RELOADLAB_ASSIGN(std::unique_ptr<Checkpoint> stored, safetensors_checkpoint(spec.path, spec.map, the_case.model));
      return std::shared_ptr<const Checkpoint>(std::move(stored));
    }
    case CheckpointSpec::Source::perturbed: {
      RELOADLAB_ASSIGN(std::shared_ptr<const Checkpoint> base, open_named(the_case, spec.base, open));
      return std::shared_ptr<const Checkpoint>(perturbed_checkpoint(std::move(base), spec.seed));
    }
  }
  return Status(Code::data, fmt::format("checkpoint \"{}\" has no source", name));
}

}  // namespace

Result<std::shared_ptr<const Checkpoint>> open_checkpoint(const Case& the_case, const std::string& name) {
  std::vector<std::string> open;
  Result<std::shared_ptr<const Checkpoint>> checkpoint = open_named(the_case, name, open);
  if (checkpoint.ok()) return checkpoint;
  const CheckpointSpec* spec = the_case.checkpoint(name);
  const std::string place = spec && !the_case.file.empty() ? fmt::format("{}:{}:{}: ", the_case.file, spec->at.line, spec->at.column) : "";
  return checkpoint.status().within(fmt::format("{}checkpoint {}", place, name));
}

}  // namespace reloadlab::sim
