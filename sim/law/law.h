#pragma once
// A law: one sentence about a reload, judged from Evidence alone. One file each, one line in registry.cpp.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

enum class Outcome { pass, fail, inconclusive, unsupported };

// Where and how a law was broken, in the shape that reports print and expectation files match.
struct Finding {
  std::string law;
  std::string execution;  // Variation::label()
  int rank = 0;
  int step = -1;
  std::string tensor;  // path, empty when the finding is about no tensor
  std::string what;    // "2,048 of 6,144 elements differ: rows 32-63"
  std::string first;   // "[32, 0] is nan (poison: never written), should be 1.0859375 from B: blocks.0.k_proj.weight [32, 0]"
  std::string why;     // the mechanism, when the events show it
};

struct Verdict {
  std::string law;
  Outcome outcome = Outcome::pass;
  std::string reason;              // inconclusive, unsupported
  std::optional<Finding> finding;  // fail: the first failing evidence in (execution, rank, step, tensor) order
  int64_t checks = 0;              // comparisons made: a law that checked nothing is inconclusive, not a pass
};

// What a law speaks about, and so which cases it judges when they name no laws.
enum class Domain {
  reload,  // models that are at rest after each update
  series,  // windows, and what passes read there
  graphs,  // what graphs read: cases with series, and those that replay any
  order,   // who touches bytes when: cases with series, and those in which loads come by a stream of the transport's
  both,    // with series: what is beside the windows
};

struct LawInfo {
  std::string_view id;
  Domain domain;
  std::string_view sentence;
  // Executions it needs beyond the warm one; replay runs the union over the laws that a case names.
  std::vector<Variation::Kind> needs;
  Verdict (*judge)(const Evidence& evidence);
};

std::span<const LawInfo> laws();
const LawInfo* find_law(std::string_view id);
// Those that the case names; when it names none, all but those of the other domain.
bool is_judged(const LawInfo& law, const Case& the_case);
// Judges the case's laws, in registry order.
std::vector<Verdict> judge(const Evidence& evidence);

}  // namespace reloadlab::sim
