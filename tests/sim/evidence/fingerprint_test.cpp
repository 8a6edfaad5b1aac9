#include "sim/evidence/fingerprint.h"

#include <gtest/gtest.h>

#include <set>

namespace reloadlab::sim {
namespace {

TEST(Fingerprint, EveryByteAndTheLengthCount) {
  std::set<Fingerprint> seen;
  for (size_t size = 0; size <= 40; ++size) {
    EXPECT_TRUE(seen.insert(fingerprint(Bytes(size))).second) << size;
    for (size_t at = 0; at < size; ++at) {
      Bytes bytes(size);
      bytes[at] = std::byte{1};
      EXPECT_TRUE(seen.insert(fingerprint(bytes)).second) << size << " " << at;
    }
  }
}

TEST(Fingerprint, SwappedWordsDiffer) {
  Bytes one(64), two(64);
  one[0] = two[16] = std::byte{7};
  one[16] = two[0] = std::byte{9};
  EXPECT_NE(fingerprint(one), fingerprint(two));
}

TEST(Fingerprint, HalvesAreIndependent) {
  std::set<uint64_t> first, second;
  for (int i = 0; i < 10000; ++i) {
    Bytes bytes(24);
    bytes[static_cast<size_t>(i % 24)] = static_cast<std::byte>(i / 24);
    const Fingerprint print = fingerprint(bytes);
    first.insert(print[0]);
    second.insert(print[1]);
    EXPECT_NE(print[0], print[1]);
  }
  EXPECT_EQ(first.size(), second.size());
}

TEST(Fingerprint, IsTheSameOnEveryMachine) {
  Bytes bytes(37);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  EXPECT_EQ(fingerprint(bytes), (Fingerprint{0x82a5244ed6fbb29f, 0x33339d02ed8af055}));
}

TEST(Fingerprint, ABlobCarriesItsOwn) {
  const BlobPtr blob = make_blob(Bytes(5, std::byte{3}));
  EXPECT_EQ(blob->fingerprint, fingerprint(blob->bytes));
}

}  // namespace
}  // namespace reloadlab::sim
