// Every law of series kills a mutant of the plain series that no other law kills, and the plain series itself passes them all.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "sim/campaign/explore_case.h"
#include "sim/candidate/candidate.h"
#include "tests/mutants/played.h"
#include "tests/mutants/ring_wrong.h"
#include "tests/mutants/wrong.h"

namespace reloadlab::mutants {
namespace {

using sim::Outcome;
using Laws = std::set<std::string>;

class RingMutants : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!sim::find_candidate("mutant@none").ok()) register_mutants();
  }
};

std::filesystem::path ring_folder() { return std::filesystem::path(RELOADLAB_SOURCE_DIR) / "scenarios/shared_series"; }
std::string file(std::string_view name) { return (ring_folder() / (std::string(name) + ".yaml")).string(); }

std::string bug(std::string_view name) { return (ring_folder().parent_path() / "bugs" / (std::string(name) + ".yaml")).string(); }

Laws laws_that_fail(std::string_view scenario, const std::string& candidate, std::string* text = nullptr) {
  Laws laws;
  for (const Played& played : play(file(scenario), candidate))
    for (const sim::Verdict& verdict : played.verdicts) {
      if (verdict.outcome != Outcome::fail) continue;
      laws.insert(verdict.law);
      if (text) *text += told(verdict);
    }
  return laws;
}

TEST_F(RingMutants, EveryLawKillsOneThatNoOtherLawKills) {
  const struct {
    std::string_view mutant, scenario, law;
  } lone[] = {
      {"ring_static_moved_by_reload", "captured_and_reloaded", "graph_replay"},
      {"ring_none_primed", "reload_in_place", "ring_content"},
      {"ring_swapped_windows", "plain_ring", "ring_tenancy"},
      {"ring_wait_forgets", "second_reader", "ring_happens_before"},
      {"ring_tells_a_peer", "resets", "ring_sequence"},
      {"ring_one_less_ahead", "plain_ring", "ring_lookahead"},
      {"ring_waits_for_all", "pass_times", "ring_overwait"},
      {"ring_spare_window", "plain_ring", "ring_memory"},
      {"ring_fresh_windows", "plain_ring", "ring_address"},
      {"ring_one_refuses", "drains", "rank_agreement"},
      // Of what is in no window.
      {"ring_scales_moved", "reload_from_a_checkpoint", "address_stable"},
      {"ring_scales_as_buffers", "reload_from_a_checkpoint", "no_residue"},
  };
  Laws covered;
  for (const auto& [mutant, scenario, law] : lone) {
    std::string text;
    EXPECT_EQ(laws_that_fail(scenario, "mutant@" + std::string(mutant), &text), Laws{std::string(law)}) << mutant << "\n" << text;
    covered.insert(std::string(law));
  }
  for (const sim::LawInfo& law : sim::laws()) {
    const bool elsewhere = law.domain == sim::Domain::reload || law.domain == sim::Domain::both;  // mutants_test.cpp
    EXPECT_TRUE(elsewhere || covered.contains(std::string(law.id))) << law.id << " kills no mutant alone";
  }
}

bool is_for_gpus(const std::string& path) {
  return std::ranges::all_of(cases_in(path), [](const sim::Case& one) { return one.world == sim::WorldKind::cuda; });
}

// Also where nothing is refused or outside the contract, and no file names the control.
TEST_F(RingMutants, TheControlPassesWhereTheReferenceDoes) {
  for (const auto& entry : std::filesystem::directory_iterator(ring_folder())) {
    if (entry.path().extension() != ".yaml" || is_for_gpus(entry.path().string())) continue;
    const std::string name = entry.path().stem().string();
    for (const auto& [control, reference] : {std::pair("mutant@ring_none", "shared_series@hardened"),
                                             std::pair("mutant@ring_static", "shared_series@hardened,binding=static")}) {
      if (!laws_that_fail(name, reference).empty()) continue;
      std::string text;
      laws_that_fail(name, control, &text);
      EXPECT_EQ(text, "") << name << " " << control;
    }
  }
}

// Layers as witnesses name them, on a rank that does not own them.
bool is_of_a_window(const sim::Case& the_case, const std::string& reader) {
  for (const sim::SeriesSpec& series : the_case.series)
    for (const std::string& layer : series.layers)
      for (int rank = 0; rank < the_case.ranks; ++rank) {
        const bool owns = series.global(series.owner(series.index_of(layer), the_case.ranks)) == rank;
        if (!owns && reader.starts_with(fmt::format("{} on rank {} in ", layer, rank))) return true;
      }
  return false;
}

// From one schedule, whatever that one did to the bytes; and in one order of some pair a rank reads wrong bytes in a window.
void expect_race_with_a_witness(std::string_view mutant, const std::string& scenario) {
  const std::string candidate = "mutant@" + std::string(mutant);
  bool raced = false, wrong = false;
  std::string told_of;
  for (Played& played : play(scenario, candidate)) {
    raced |= played.fails("ring_happens_before");
    sim::find_witnesses(played.evidence.the_case, *sim::find_candidate(candidate), played.evidence);
    for (const sim::RankRun& run : played.evidence.find(sim::Variation::Kind::warm)->ranks)
      for (const sim::RankRun::Race& race : run.races) {
        wrong |= race.witness == "wrong bytes" && is_of_a_window(played.evidence.the_case, race.reader);
        told_of += fmt::format("{}: {} {}\n", played.evidence.the_case.id(), race.witness, race.reader);
      }
  }
  EXPECT_TRUE(raced);
  EXPECT_TRUE(wrong) << told_of;
}

TEST_F(RingMutants, OfOrderAreRacesWithAWitness) {
  const std::map<std::string_view, std::string> scenarios = {{"ring_no_wait", file("alone_and_in_company")},
                                                             {"ring_other_stream", file("forwards_on_a_joined_stream")},
                                                             {"ring_wait_of_previous", file("forwards_on_a_joined_stream")},
                                                             {"ring_wait_forgets", file("second_reader")},
                                                             {"ring_readers_forgotten", file("forwards_on_an_unjoined_stream")},
                                                             {"ring_fork_missing", file("forwards_on_an_unjoined_stream")},
                                                             {"ring_copy_dropped", bug("b63_memory_freed_while_it_is_sent")},
                                                             {"ring_evicts_at_start", bug("b59_the_next_pass_begins_by_evicting")},
                                                             {"ring_reload_undrained", file("reload_mid_pass")}};
  for (const RingMutant& mutant : ring_mutants()) {
    if (mutant.law != "ring_happens_before") continue;
    SCOPED_TRACE(mutant.name);
    ASSERT_TRUE(scenarios.contains(mutant.name)) << "no file says where it is seen";
    expect_race_with_a_witness(mutant.name, scenarios.at(mutant.name));
  }
}

// Reads of weights in the step that are not what a cold load of the checkpoint leaves.
int64_t stale_reads(const sim::Evidence& evidence, const std::string& checkpoint, int step) {
  const sim::Census& cold = evidence.find(sim::Variation::Kind::cold, checkpoint)->ranks.front().censuses.back();
  int64_t stale = 0;
  for (const sim::RankRun& run : evidence.find(sim::Variation::Kind::warm)->ranks)
    for (const sim::RankRun::Read& read : run.reads) {
      if (read.step != step) continue;
      const sim::CensusEntry* entry = cold.find(evidence.layers[static_cast<size_t>(read.layer)] + "." + read.slot);
      stale += entry->content->fingerprint == read.content->fingerprint ? 0 : 1;
    }
  return stale;
}

// Owners were overwritten and nobody was told: as many layers as the ring looks ahead are old on every rank but their own, in the first
// pass.
TEST_F(RingMutants, StaleReadsAreAsManyAsTheArithmeticSays) {
  for (const bool seed : {false, true})
    for (const Played& played : play(file("owners_overwritten"), seed ? "shared_series@seed" : "shared_series@hardened")) {
      const sim::SeriesSpec& series = played.evidence.the_case.series.front();
      const auto layers = static_cast<int64_t>(series.layers.size());
      const int64_t ahead = seed ? (series.first + series.prefetch) % layers : series.prefetch;
      SCOPED_TRACE(played.evidence.the_case.id() + (seed ? " seed" : " hardened"));
      EXPECT_EQ(stale_reads(played.evidence, "B", 4), ahead * (played.evidence.the_case.ranks - 1));
      EXPECT_EQ(stale_reads(played.evidence, "B", 5), 0);
    }
}

}  // namespace
}  // namespace reloadlab::mutants
