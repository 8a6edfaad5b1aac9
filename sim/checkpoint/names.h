#pragma once
// Name maps: how a family of checkpoint files calls the tensors that our models take. A map is a table of rules and a list of names
// to ignore; the first rule that fits a file's name gives the delivery's name. In both halves of a rule
//
//   {i}  is a run of digits        {w}  is one word, without dots        "encoder.layer.{i}.output.dense.{w}" -> "blocks.{i}.down.{w}"
//
// and each is used at most once. No LibTorch here.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reference/base/status.h"

namespace reloadlab::sim {

struct NameRule {
  std::string_view stored;
  std::string_view delivered;
};

struct NameMap {
  std::string_view id;
  std::span<const NameRule> rules;
  std::span<const std::string_view> ignored;  // patterns of stored names that no model takes

  std::optional<std::string> delivery_name(std::string_view stored) const;  // nullopt: no rule fits
  bool ignores(std::string_view stored) const;
};

// The map of that id; the empty id is the map that leaves names as they are. Code::data with the nearest spelling otherwise.
Result<NameMap> find_name_map(std::string_view id);
std::vector<std::string_view> name_map_ids();

}  // namespace reloadlab::sim
