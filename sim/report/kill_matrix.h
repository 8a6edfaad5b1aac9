#pragma once
// Mutants × laws × scenarios: what a run of mutants says about the laws, and about the scenarios that show what is wrong.
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

namespace reloadlab::sim {

class KillMatrix {
 public:
  void add(const std::string& mutant, const std::string& law, const std::string& scenario) { kills_[mutant][law].insert(scenario); }

  // By law, in the order given: the mutants that no other law kills. A law with none never kills alone.
  std::vector<std::pair<std::string, std::vector<std::string>>> alone(const std::vector<std::string>& laws) const;
  // Fewest scenarios in which every mutant that dies at all dies. Of several such sets the first, by names.
  std::vector<std::string> fewest_scenarios() const;

  // Schema version 1.
  nlohmann::ordered_json json(const std::vector<std::string>& laws) const;
  std::string text(const std::vector<std::string>& laws) const;

 private:
  std::map<std::string, std::map<std::string, std::set<std::string>>> kills_;  // mutant → law → scenarios
};

}  // namespace reloadlab::sim
