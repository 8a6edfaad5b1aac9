#pragma once
// Name maps: where a family of checkpoint files puts its tensors in our models, as tables that engines would recognize. A stored name
// goes through them in this order:
//
//   prefixes   the first that fits is taken off:            "model.layers.0.…" and "language_model.model.layers.0.…" are "layers.0.…"
//   respelt    older spellings of how names end:            "….LayerNorm.gamma" is "….LayerNorm.weight"
//   ignored    names that no model takes
//   renamed    if there are any, the first that fits:       "encoder.layer.{i}.output.dense.{w}" is "blocks.{i}.down.{w}"
//   moved      names that engines give to another layer:   "….self_attn.k_proj.k_scale" is "….self_attn.attn.k_scale"
//   experts    one matrix of one expert, in a stack:        "….experts.7.up_proj.weight" is "….experts.w13_weight", shard w3, expert 7
//   stacked    a part of a fused parameter, by its word:    "….q_proj.weight" is "….qkv_proj.weight", shard q
//
// A name that a table moves goes through no further one; a name that none changes is the parameter's own. In patterns {i} is a run of
// digits and {w} one word, without dots; each is used at most once. One map serves the first load and every update, so that the two cannot
// differ. No LibTorch here.
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reference/base/status.h"

namespace reloadlab::sim {

struct NameRule {
  std::string_view stored;
  std::string_view ours;
};

struct PartRule {
  std::string_view stored;     // "q_proj"
  std::string_view parameter;  // "qkv_proj"; of experts what stands before '_': "w13"
  std::string_view shard;      // "q"
};

// What a loader is called with: the parameter and where in it.
struct Target {
  std::string parameter;  // "layers.0.self_attn.qkv_proj.weight"
  std::optional<std::string> shard = {};
  std::optional<int64_t> expert = {};
  auto operator<=>(const Target&) const = default;
};

struct NameMap {
  std::string_view id;
  std::span<const std::string_view> prefixes = {};
  std::span<const NameRule> respelt = {};  // ends of names
  std::span<const std::string_view> ignored = {};
  std::span<const std::string_view> other_parts = {};  // what names of a model's other parts begin with, without a prefix: ignored too
  std::span<const NameRule> renamed = {};
  std::span<const NameRule> moved = {};  // of several names for one parameter the usual one first
  std::span<const PartRule> experts = {};
  std::span<const PartRule> stacked = {};
  std::span<const std::string_view> tied = {};  // parameters that files may have although the model ties them: left out then
  std::string_view blocks = {};                 // what the number of a block stands behind: "layers."

  std::optional<Target> target(std::string_view stored) const;  // nullopt: there are renamed names, and this is none of them
  std::string stored_name(const Target& target) const;          // without a prefix; target() of it is `target` again
  bool ignores(std::string_view stored) const;
  std::optional<int64_t> block(std::string_view stored) const;  // nullopt: not in a block
  std::string_view without_prefix(std::string_view stored) const;
  std::string_view prefix(std::string_view stored) const;  // what without_prefix() takes off
};

std::span<const NameMap> name_maps();  // name_tables.cpp
// The map of that id; the empty id is the map that leaves names as they are. Code::data with the nearest spelling otherwise.
Result<NameMap> find_name_map(std::string_view id);
std::vector<std::string_view> name_map_ids();

}  // namespace reloadlab::sim
