#pragma once
// One layer on all local ranks at once.
#include "reference/model/architecture/forward.h"

namespace reloadlab::model {

// What each local rank holds at a point of the forward.
using PerRank = std::vector<at::Tensor>;

class Lockstep {
 public:
  Lockstep(std::span<Model* const> ranks, const Reduce& reduce);
  size_t size() const { return ranks_.size(); }
  // The layer of that path on each rank's input, which is brought to the rank's device; partial results are summed, and brought back.
  PerRank run(const std::string& path, const PerRank& inputs) const;
  // The same input on every rank.
  PerRank run(const std::string& path, const at::Tensor& input) const { return run(path, PerRank(size(), input)); }
  template <class Fn>
  PerRank map(const PerRank& values, Fn&& fn) const {
    PerRank results;
    for (size_t rank = 0; rank < size(); ++rank) results.push_back(fn(*ranks_[rank], values[rank]));
    return results;
  }

 private:
  std::span<Model* const> ranks_;
  const Reduce& reduce_;
  std::vector<c10::Device> devices_;
};

}  // namespace reloadlab::model
