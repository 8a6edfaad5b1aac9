#pragma once
// What a scenario may call the tensors that a checkpoint delivers: the delivery's name, the slot that takes it with its shard
// ("blocks.0.qkv.weight#q"), the slot alone (all its deliveries), and ranges and globs of these.
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "reference/model/spec.h"
#include "sim/scenario/diagnostics.h"

namespace reloadlab::sim {

class DeliveryNames {
 public:
  explicit DeliveryNames(std::vector<model::Delivery> deliveries) : deliveries_(std::move(deliveries)) {}

  const std::vector<model::Delivery>& deliveries() const { return deliveries_; }
  bool has(std::string_view name) const { return by_name().contains(name); }
  // Delivery names that the pattern stands for, in model order; empty after reporting at `at` when it stands for none.
  std::vector<std::string> resolve(const std::string& pattern, Position at, Diagnostics& diagnostics) const;
  // Every spelling that names one delivery, for suggestions.
  std::vector<std::string> spellings() const;  // sorted

 private:
  using Index = std::map<std::string, std::vector<size_t>, std::less<>>;
  bool is_own_name(const std::string& spelling) const;
  const Index& by_name() const;
  std::vector<size_t> matches(const std::string& name) const;

  std::vector<model::Delivery> deliveries_;
  mutable Index by_name_;  // spelling → indices into deliveries_; made when a name is first asked for, which large models never are
};

}  // namespace reloadlab::sim
