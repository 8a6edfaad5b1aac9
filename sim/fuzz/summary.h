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
  std::string system;
  int64_t cases = 0, judged = 0, failing = 0, skipped = 0;
  int64_t hanging = 0;       // of those that fail
  int64_t inconclusive = 0;  // laws that a case gave nothing to check
  std::string why_skipped;   // one of them
  double seconds = 0;        // of the longest
  std::set<uint64_t> shapes;
  std::set<std::string> probes;
  std::map<Cause, Seen> causes;
  std::string defect;  // of the harness; empty: none

  void add(const Summary& other);
};

Summary summary_of(const Hunted& hunted, const std::string& system);
Summary summary_of(const Progressed& progress, const std::map<Cause, Found>& found);  // while it goes on
nlohmann::ordered_json to_json(const Summary& summary);
// Code::data: it is no summary.
Result<Summary> summary_from(std::string_view text);

// Probes that drawn cases of the system meet, and none of these did.
std::vector<std::string_view> probes_missed(const Summary& summary);

// For people: a line for each cause with how many cases showed it, and one for all of it.
std::string summary_text(const Summary& summary);

}  // namespace reloadlab::sim::fuzz
