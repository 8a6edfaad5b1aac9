#include "sim/world/order/region.h"

#include <algorithm>

namespace reloadlab::sim {

Region::Region(BlockId block, int64_t element, int64_t offset, std::span<const int64_t> sizes, std::span<const int64_t> strides)
    : block_(block), begin_(offset * element), end_(begin_), run_(element) {
  for (size_t dim = 0; dim < sizes.size(); ++dim) {
    if (sizes[dim] == 0) run_ = 0;
    if (sizes[dim] > 1 && strides[dim] > 0) dims_.push_back({sizes[dim], strides[dim] * element});
  }
  if (run_ == 0) {
    dims_.clear();
    return;
  }
  std::stable_sort(dims_.begin(), dims_.end(), [](const Dim& a, const Dim& b) { return a.stride > b.stride; });
  // Fold from the innermost: a dimension whose stride is at most the run only makes the run longer.
  while (!dims_.empty() && dims_.back().stride <= run_) {
    run_ += (dims_.back().size - 1) * dims_.back().stride;
    dims_.pop_back();
  }
  end_ = begin_ + run_;
  for (const Dim& dim : dims_) end_ += (dim.size - 1) * dim.stride;
}

Region Region::bytes(BlockId block, int64_t begin, int64_t count) {
  Region region;
  region.block_ = block;
  region.begin_ = begin;
  region.end_ = begin + count;
  region.run_ = count;
  return region;
}

std::vector<int64_t> Region::run_starts() const {
  std::vector<int64_t> starts = {begin_};
  for (const Dim& dim : dims_) {
    std::vector<int64_t> outer = std::move(starts);
    starts.clear();
    for (int64_t start : outer)
      for (int64_t i = 0; i < dim.size; ++i) starts.push_back(start + i * dim.stride);
  }
  std::sort(starts.begin(), starts.end());
  starts.erase(std::unique(starts.begin(), starts.end()), starts.end());
  return starts;
}

bool Region::overlaps(const Region& other) const {
  if (block_ != other.block_ || empty() || other.empty() || begin_ >= other.end_ || other.begin_ >= end_) return false;
  if (dims_.empty() && other.dims_.empty()) return true;
  std::vector<int64_t> mine = run_starts(), theirs = other.run_starts();
  for (size_t i = 0, j = 0; i < mine.size() && j < theirs.size();) {
    if (mine[i] < theirs[j] + other.run_ && theirs[j] < mine[i] + run_) return true;
    if (mine[i] < theirs[j]) {
      ++i;
    } else {
      ++j;
    }
  }
  return false;
}

bool Region::covers(const Region& other) const {
  if (block_ != other.block_) return false;
  if (dims_.empty()) return begin_ <= other.begin_ && other.end_ <= end_;
  auto same = [](const Dim& a, const Dim& b) { return a.size == b.size && a.stride == b.stride; };
  return begin_ == other.begin_ && run_ == other.run_ &&
         std::equal(dims_.begin(), dims_.end(), other.dims_.begin(), other.dims_.end(), same);
}

}  // namespace reloadlab::sim
