#include "sim/evidence/fingerprint.h"

#include <bit>
#include <cstring>

#include "reference/base/prng.h"

namespace reloadlab::sim {
namespace {

static_assert(std::endian::native == std::endian::little);

uint64_t load64(const std::byte* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

uint64_t fold(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// A word equal to the key would multiply by zero and forget the chain, so each chain has keys of its own and adds its state back.
struct Chain {
  uint64_t state, key0, key1;
  void add(uint64_t word0, uint64_t word1) { state = fold(word0 ^ key0 ^ state, word1 ^ key1) + std::rotl(state, 23); }
};

}  // namespace

Fingerprint fingerprint(std::span<const std::byte> bytes) {
  Chain first{mix64(1), mix64(2), mix64(3)};
  Chain second{mix64(4), mix64(5), mix64(6)};
  size_t at = 0;
  for (; at + 16 <= bytes.size(); at += 16) {
    const uint64_t word0 = load64(bytes.data() + at), word1 = load64(bytes.data() + at + 8);
    first.add(word0, word1);
    second.add(word1, word0);
  }
  std::array<std::byte, 16> rest{};
  if (at < bytes.size()) std::memcpy(rest.data(), bytes.data() + at, bytes.size() - at);
  for (Chain* chain : {&first, &second}) {
    chain->add(load64(rest.data()), load64(rest.data() + 8));
    chain->add(bytes.size(), 0);
  }
  return {mix64(first.state), mix64(second.state)};
}

BlobPtr make_blob(Bytes bytes) {
  const Fingerprint print = fingerprint(bytes);
  return std::make_shared<const Blob>(Blob{print, std::move(bytes)});
}

}  // namespace reloadlab::sim
