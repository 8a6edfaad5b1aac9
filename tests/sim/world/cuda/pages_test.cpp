// Pages that are unmapped and mapped again, over a driver without a GPU.
#include "sim/world/cuda/pages.h"

#include <c10/util/Exception.h>
#include <gtest/gtest.h>

extern "C" int fake_handles;

namespace reloadlab::sim::cuda {
namespace {

constexpr int device = 3;  // the only one that the driver knows
constexpr size_t mib = size_t{1} << 20;

volatile char& byte_of(const Pages& pages) { return *reinterpret_cast<char*>(pages.address + pages.bytes - 1); }

TEST(Pages, ComeWholeAndMapped) {
  Pages pages = reserve_pages(3 * mib, device);
  EXPECT_EQ(pages.bytes, 4 * mib);
  byte_of(pages) = 7;
  EXPECT_EQ(byte_of(pages), 7);
  EXPECT_EQ(fake_handles, 1);
  release_pages(pages);
  EXPECT_EQ(fake_handles, 0);
  EXPECT_EQ(pages.address, 0U);
}

TEST(Pages, LoseTheirContentsAndKeepTheirAddress) {
  Pages pages = reserve_pages(mib, device);
  const uint64_t address = pages.address;
  byte_of(pages) = 7;
  unmap(pages);
  EXPECT_EQ(fake_handles, 0);
  EXPECT_EQ(pages.handle, 0U);
  map_again(pages);
  EXPECT_EQ(pages.address, address);
  EXPECT_EQ(byte_of(pages), 0);
  byte_of(pages) = 8;
  release_pages(pages);
}

TEST(Pages, CannotBeTouchedWhileTheySleep) {
  Pages pages = reserve_pages(mib, device);
  unmap(pages);
  EXPECT_DEATH(byte_of(pages) = 1, "");
  release_pages(pages);
  EXPECT_EQ(fake_handles, 0);
}

TEST(Pages, AreRefusedAloudWhereTheDriverRefuses) { EXPECT_THROW(reserve_pages(mib, device + 1), c10::Error); }

}  // namespace
}  // namespace reloadlab::sim::cuda
