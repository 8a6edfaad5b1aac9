#pragma once
// Evidence of cases with series, as the laws of the ring ask for it.
//
//   events of one rank     reach_begin 1 · collective #4 (into storage 12) · reach_end 1 · read of 1 (in storage 11) …
//   collectives by group   operation n of a communicator is the same one on all its ranks; the root knows whose weight it sends
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/law/reading.h"

namespace reloadlab::sim {

// Where a layer stands: in which series, with which index.
struct Place {
  const SeriesSpec* series = nullptr;  // null: in none
  int64_t index = 0;                   // absolute
  int64_t offset = 0;                  // among the series' layers
};
Place place_of(const Evidence& evidence, int layer);
// Whether the candidate declares that layers keep their windows.
bool is_static(const Evidence& evidence);
// Whether the layer lives on the rank.
bool owns(const Evidence& evidence, const Place& place, int64_t rank);

// Whether the two ranks share something, directly: what one of them refuses, the other one refuses as well.
bool share(const Evidence& evidence, size_t rank, size_t other);
// A reload by way of the series, of which each takes or refuses it by itself; and whether that one took it, as the rank saw.
bool reloads_by_series(const Step& step);
bool has_reloaded(const RankRun& run, const SeriesSpec& series, int step);

// The checkpoint that reads of a series' layer in the step must return: what the last update before it brought that ended well on the
// rank and on all with whom it shares.
std::string committed(const Evidence& evidence, const Execution& execution, const SeriesSpec& series, size_t rank, int step);

// An operation of a communicator, as one rank issued it.
struct Issued {
  const Event* event = nullptr;
  int layer = -1;  // whose weight it sends, as the root knows; -1: nobody's
};
// Of the execution, by communicator, rank, order of issue.
class Communication {
 public:
  Communication(const Evidence& evidence, const Execution& execution);
  const std::vector<Issued>& of(std::string_view group, size_t rank) const;
  const Issued* find(size_t rank, const Event* event) const;  // null: it is no collective

 private:
  static void share_layers(std::vector<std::vector<Issued>>& lists);
  std::map<std::string, std::vector<std::vector<Issued>>, std::less<>> lists_;  // by communicator, then by rank
};

// The same of each execution, put together once: it takes all ranks' events.
class Communications {
 public:
  explicit Communications(const Evidence& evidence) : evidence_(evidence) {}
  const Communication& of(const Execution& execution);

 private:
  const Evidence& evidence_;
  std::map<const Execution*, Communication> known_;  // looked up, never walked
};

// Passes that the rank has ended well, as steps of the execution. `plain`: only those that deviate nowhere.
bool is_plain(const Pass& pass);

// Which steps a law judges, and what it says of scenarios that have none of them.
struct Subject {
  bool (*has)(const Step& step);
  std::string_view otherwise;
};
inline constexpr Subject any_step{[](const Step&) { return true; }, ""};
inline constexpr Subject passes{[](const Step& step) { return step.kind == StepKind::pass; },
                                "it judges passes outside of graphs, and the scenario has none"};

// Judges the warm execution, and what proves that it is deterministic, rank by rank. Unsupported where the case has no series.
using JudgeRank = std::function<std::optional<Finding>(const Execution& execution, size_t rank, Tally& tally)>;
Verdict judge_ranks(const Evidence& evidence, std::string_view law, std::string_view nothing_checked, const JudgeRank& judge,
                    const Subject& subject = any_step);

// The tally's verdict. Where nothing was checked because the scenario has nothing of the kind, or because steps failed before there was
// anything, which is another law's finding, the law is unsupported.
Verdict concluded(const Evidence& evidence, const Tally& tally, std::string_view nothing_checked, const Subject& subject);

// What is in no window, at the end, against a cold load of what brought it.
std::optional<Finding> judge_beside_windows(const Evidence& evidence, const Execution& execution, size_t rank, Tally& tally);

// Whether the bytes that were read are not those of the layer as its last update brought it. REQUIRES a run that came to its end.
bool is_wrong(const Evidence& evidence, const Execution& execution, size_t rank, const RankRun::Read& read);

// "blocks.2.o_proj (index 2)"
std::string layer_text(const Evidence& evidence, int layer);

}  // namespace reloadlab::sim
