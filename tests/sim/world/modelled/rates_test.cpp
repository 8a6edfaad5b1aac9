#include "sim/world/modelled/rates.h"

#include <gtest/gtest.h>

namespace reloadlab::sim::modelled {
namespace {

TEST(Rates, DurationsAreRoundedUpOnce) {
  EXPECT_EQ(duration(1, 3), 333'333'333'334);
  EXPECT_EQ(duration(0, 3), 0);
  EXPECT_EQ(duration(5, 0), 0);
}

TEST(Rates, LargeAmountsDoNotOverflow) { EXPECT_EQ(duration(int64_t{1} << 50, int64_t{1} << 40), 1024 * 1'000'000'000'000); }

TEST(Rates, TheSlowerOfMemoryAndArithmeticCounts) {
  Rates rates = *rates_of("h200");
  EXPECT_EQ(kernel_cost(rates, 4'200'000, 0), 2'000'000 + 1'000'000);
  EXPECT_EQ(kernel_cost(rates, 4'200'000, 7'800'000'000), 2'000'000 + 10'000'000);
}

TEST(Rates, ABroadcastOf224MiBTakesWhatTheTableOfFloorsSays) {
  Picoseconds cost = collective_cost(*rates_of("h200"), int64_t{224} << 20) - rates_of("h200")->collective_start;
  EXPECT_EQ(cost / 1'000'000, 652);
}

TEST(Rates, AKernelIsSlowedAsLongAsACollectiveGoesOn) {
  const Rates rates = *rates_of("h100");
  EXPECT_EQ(slowed(rates, 1000, 5000), 1180);
  EXPECT_EQ(slowed(rates, 1000, 1180), 1180);
  EXPECT_EQ(slowed(rates, 1000, 118), 118 + 900);
  EXPECT_EQ(slowed(rates, 1000, 0), 1000);
  EXPECT_EQ(slowed(*rates_of("free"), 1000, 500), 1000);
}

TEST(Rates, AKernelIsQuickerBehindARestButNoMoreThanBehindOneAsLongAsItself) {
  const Rates rates{.rested_percent = 80};
  EXPECT_EQ(rested(rates, 1000, 0), 1000);
  EXPECT_EQ(rested(rates, 1000, 500), 900);
  EXPECT_EQ(rested(rates, 1000, 1000), 800);
  EXPECT_EQ(rested(rates, 1000, 5000), 800);
  EXPECT_EQ(rested(*rates_of("free"), 1000, 500), 1000);
}

TEST(Rates, UnknownDevicesAreRefused) { EXPECT_EQ(rates_of("h300").status().code(), Code::usage); }

}  // namespace
}  // namespace reloadlab::sim::modelled
