#pragma once
// Sets of elements as disjoint boxes, for expectations: exact, slow and simple, and not what engines use.
#include <vector>

#include "reference/base/scalar.h"
#include "reference/model/spec.h"

namespace reloadlab::sim {

struct Box {
  Shape start, extent;
  int64_t numel() const;
  bool operator==(const Box&) const = default;
};

class BoxSet {
 public:
  // Adds the box and returns how many of its elements were new.
  int64_t add(const Box& box);
  bool meets(const Box& box) const;  // holds an element of the box
  int64_t numel() const { return numel_; }

 private:
  void keep(Box box);
  std::vector<Box> boxes_;  // pairwise disjoint; what makes one box together is one
  int64_t numel_ = 0;
};

}  // namespace reloadlab::sim
