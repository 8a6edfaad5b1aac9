#include "sim/scenario/bind_world.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>
#include <system_error>

#include "sim/scenario/scalars.h"
#include "sim/scenario/spelling.h"
#include "sim/scenario/structure.h"

namespace reloadlab::sim {
namespace {

std::string resolve_path(const std::string& written, const WorldContext& context, Position at, Diagnostics& diagnostics) {
  constexpr std::string_view variable = "${CACHE}";
  std::string path = written;
  if (path.starts_with(variable)) {
    path = context.cache_dir + path.substr(variable.size());
    if (context.cache_dir.empty())
      diagnostics.error(at, "safetensors: ${CACHE} without a cache, expected RELOADLAB_CACHE or HOME to be set");
  }
  if (const size_t dollar = path.find("${"); dollar != path.npos)
    diagnostics.error(at, fmt::format("safetensors: {}, expected no variable but ${{CACHE}} at the beginning", path.substr(dollar)));
  const std::filesystem::path resolved = std::filesystem::path(context.file).parent_path() / path;
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(resolved, error);
  return (error ? resolved : absolute).lexically_normal().string();
}

void only_with(const Reader& reader, std::string_view key, std::string_view source, Diagnostics& diagnostics) {
  if (reader.has(key) && !reader.has(source))
    diagnostics.error(reader.at(key), fmt::format("{} without {}, expected them together", key, source));
}

CheckpointSpec bind_checkpoint(const Node& node, const WorldContext& context, Diagnostics& diagnostics) {
  const Reader reader(node, "checkpoint");
  CheckpointSpec spec{.at = node.at};
  only_with(reader, "map", "safetensors", diagnostics);
  only_with(reader, "seed", "perturb", diagnostics);
  if (reader.has("synthetic")) {
    spec.seed = static_cast<uint64_t>(reader.integer("synthetic"));
  } else if (reader.has("safetensors")) {
    spec.source = CheckpointSpec::Source::safetensors;
    spec.path = resolve_path(reader.text("safetensors"), context, reader.at("safetensors"), diagnostics);
    if (reader.has("map")) spec.map = reader.text("map");
  } else {
    spec.source = CheckpointSpec::Source::perturbed;
    spec.base = reader.text("perturb");
    spec.seed = static_cast<uint64_t>(reader.integer("seed"));
  }
  return spec;
}

// A chain of perturbed checkpoints must end at one that is not.
void check_chain(const Node& node, const std::string& name, Diagnostics& diagnostics) {
  std::vector<std::string> names;
  for (const Node::Entry& entry : node.entries) names.push_back(entry.key);
  std::set<std::string> seen{name};
  const Node::Entry* at = node.find(name);
  while (const Node::Entry* base = at->value->find("perturb")) {
    const Node::Entry* next = node.find(base->value->text);
    if (!next) {
      diagnostics.error(base->value->at, fmt::format("no checkpoint is called \"{}\"", base->value->text),
                        diagnostics.suggest(base->value->text, names));
      return;
    }
    if (!seen.insert(next->key).second) {
      diagnostics.error(base->value->at, fmt::format("perturb: {} is made from itself, expected a chain that ends", next->key));
      return;
    }
    at = next;
  }
}

}  // namespace

std::vector<std::pair<std::string, CheckpointSpec>> bind_checkpoints(const Node& node, const WorldContext& context,
                                                                     Diagnostics& diagnostics) {
  std::vector<std::pair<std::string, CheckpointSpec>> checkpoints;
  if (node.entries.empty()) diagnostics.error(node.at, "checkpoints: an empty map, expected at least one checkpoint");
  for (const Node::Entry& entry : node.entries) {
    checkpoints.emplace_back(entry.key, bind_checkpoint(*entry.value, context, diagnostics));
    check_chain(node, entry.key, diagnostics);
  }
  return checkpoints;
}

Requires bind_requires(const Node& node) {
  const Reader reader(node, "requires");
  Requires needs{.gpus = reader.integer("gpus"), .vram_gib = reader.integer("vram_gib"), .features = reader.texts("feature")};
  if (reader.has("compute_capability")) needs.capability = unspell(capability_spellings, reader.text("compute_capability"));
  return needs;
}

Expect bind_expect(const Node& node) { return {.completed = unspell(completed_spellings, Reader(node, "expect").text("completed"))}; }

Limits bind_limits(const Node& node) {
  const Node* bytes = Reader(node, "limits").node("extra_bytes");
  return {.extra_bytes = bytes ? as_integer(*bytes) : std::nullopt};
}

}  // namespace reloadlab::sim
