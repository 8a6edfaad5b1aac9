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
  explicit DeliveryNames(std::vector<model::Delivery> deliveries);

  const std::vector<model::Delivery>& deliveries() const { return deliveries_; }
  bool has(std::string_view name) const { return by_name_.find(name) != by_name_.end(); }
  // Delivery names that the pattern stands for, in model order; empty after reporting at `at` when it stands for none.
  std::vector<std::string> resolve(const std::string& pattern, Position at, Diagnostics& diagnostics) const;
  // Every spelling that names one delivery, for suggestions.
  std::vector<std::string> spellings() const;  // sorted

 private:
  bool is_own_name(const std::string& spelling) const;
  void add(const std::string& spelling, size_t index);
  std::vector<size_t> matches(const std::string& name) const;

  std::vector<model::Delivery> deliveries_;
  std::map<std::string, std::vector<size_t>, std::less<>> by_name_;  // spelling → indices into deliveries_
};

}  // namespace reloadlab::sim
