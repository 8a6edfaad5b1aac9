#pragma once
// What a campaign came to, as data, so that those of several processes or machines are put together.
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

#include "sim/fuzz/hunt.h"

namespace reloadlab::sim::fuzz {

struct Summary {
  struct Seen {
    int64_t count = 0;  // cases
    std::string token;  // of the smallest that is known
    bool operator==(const Seen&) const = default;
  };
  int64_t cases = 0, judged = 0, failing = 0, inconclusive = 0;
  double seconds = 0;  // of the longest
  std::set<uint64_t> shapes;
  std::set<std::string> probes;
  std::map<Cause, Seen> causes;
  std::string defect;  // of the harness; empty: none

  void add(const Summary& other);
};

Summary summary_of(const Hunted& hunted);
Summary summary_of(const Progressed& progress, const std::map<Cause, Found>& found);  // while it goes on
nlohmann::ordered_json to_json(const Summary& summary);
// Code::data: it is no summary.
Result<Summary> summary_from(std::string_view text);

// For people: a line for each cause with how many cases showed it, and one for all of it.
std::string summary_text(const Summary& summary);

}  // namespace reloadlab::sim::fuzz
