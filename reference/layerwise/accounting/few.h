#pragma once
// A vector of at most `capacity` small values that never allocates: every load call makes several.
#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "reference/base/check.h"

namespace reloadlab::layerwise {

template <class T, size_t capacity>
class Few {
 public:
  Few() = default;
  Few(size_t count, const T& value) : size_(count) {
    RELOADLAB_CHECK(count <= capacity, "too many values");
    std::fill_n(values_.begin(), count, value);
  }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  static constexpr size_t limit() { return capacity; }
  T& operator[](size_t i) { return values_[i]; }
  const T& operator[](size_t i) const { return values_[i]; }
  const T* begin() const { return values_.data(); }
  const T* end() const { return values_.data() + size_; }
  T* begin() { return values_.data(); }
  T* end() { return values_.data() + size_; }

  // REQUIRES size() < limit(), and a place in [0, size()].
  void insert(size_t place, const T& value) {
    RELOADLAB_CHECK(size_ < capacity && place <= size_, "no room");
    std::copy_backward(begin() + place, end(), end() + 1);
    values_[place] = value;
    ++size_;
  }
  void push_back(const T& value) { insert(size_, value); }
  void erase(size_t place) {
    std::copy(begin() + place + 1, end(), begin() + place);
    --size_;
  }
  void truncate(size_t size) { size_ = std::min(size, size_); }
  bool operator==(const Few& other) const { return std::equal(begin(), end(), other.begin(), other.end()); }

 private:
  std::array<T, capacity> values_{};
  size_t size_ = 0;
};

}  // namespace reloadlab::layerwise
