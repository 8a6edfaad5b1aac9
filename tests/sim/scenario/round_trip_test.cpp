// emit() writes a case that parses into exactly that case: every good file here and every scenario of the repository.
#include <gtest/gtest.h>

#include "sim/scenario/scenario.h"
#include "tests/sim/scenario/same_case.h"

namespace reloadlab::sim {
namespace {

const std::filesystem::path root = RELOADLAB_SOURCE_DIR;

ParseOptions plain_options() {
  ParseOptions result{.seed = 0xfedcba9876543210, .cache_dir = "/cache"};
  for (const char* law :
       {"graph_replay",  "ring_content", "ring_tenancy",      "ring_happens_before", "ring_sequence",  "rank_agreement", "cold_load_equal",
        "derived_fresh", "return_exact", "order_free",        "written_once",        "address_stable", "no_residue",     "memory_bound",
        "work_bound",    "event_order",  "coverage_reported", "failure_atomic",      "no_leak",        "ranks_alike"})
    result.known_laws.emplace_back(law);
  return result;
}

class RoundTrip : public testing::TestWithParam<const char*> {};

TEST_P(RoundTrip, every_case_comes_back_as_it_was) {
  const auto files = find_scenarios({(root / GetParam()).string()});
  ASSERT_TRUE(files.ok()) << files.status().message();
  EXPECT_FALSE(files->empty());
  for (const auto& file : *files) {
    const auto cases = read_scenario(file, plain_options());
    ASSERT_TRUE(cases.ok()) << cases.status().message();
    for (const Case& one : *cases) {
      const auto again = parse_scenario(emit(one), "emitted.yaml", plain_options());
      ASSERT_TRUE(again.ok()) << one.id() << "\n" << again.status().message() << "\n" << emit(one);
      ASSERT_EQ(again->size(), 1u) << emit(one);
      EXPECT_EQ(difference(one, again->front()), "") << emit(one);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, RoundTrip, testing::Values("tests/sim/scenario/good", "scenarios"));

}  // namespace
}  // namespace reloadlab::sim
