#pragma once
// The one pseudo-random generator: SplitMix64, integers only. Pass it by reference as `prng`; split it per concern
// (data, order, schedule), so that drawing more of one never changes another.
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace reloadlab {

// A bijective 64-bit mix (Steele, Lea, Flood 2014): also the hash behind every synthetic value.
constexpr uint64_t mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// FNV-1a, for names: equal on every machine.
constexpr uint64_t hash_name(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

class Prng {
 public:
  explicit constexpr Prng(uint64_t seed) : state_(seed) {}
  constexpr uint64_t next() { return mix64(state_++); }
  // Uniform in [0, bound). REQUIRES bound > 0. The bias is below 2^-32 for bounds below 2^32.
  constexpr uint64_t below(uint64_t bound) { return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64); }
  constexpr Prng split(std::string_view concern) const { return Prng(mix64(state_ ^ hash_name(concern))); }

  template <class T>
  void shuffle(std::vector<T>& items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  uint64_t state_;
};

}  // namespace reloadlab
