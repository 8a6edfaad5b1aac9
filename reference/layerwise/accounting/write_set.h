#pragma once
// A set of bytes of one storage, exact, kept as what writes look like: boxes. It is a tree over the levels of an IndexSpace; a node
// is an ordered list of disjoint intervals of its level's coordinate, each either full (everything below it is in the set) or with
// a node of its own. Neighbours that are full grow together, so a tensor written shard by shard ends as one interval.
//
//   experts [8, 2, 4] of u8, chain {8, 4, 1}; written: expert 3 whole, the first half of experts 5 and 6
//   [3, 4) full · [5, 7) ─▶ [0, 1) full
//
// Adding or asking costs a look-up a level, whatever the number of boxes, plus the intervals that the box itself touches.
#include <map>
#include <memory>

#include "reference/layerwise/accounting/index_space.h"

namespace reloadlab::layerwise {

class WriteSet {
 public:
  WriteSet() = default;
  explicit WriteSet(IndexSpace space) : space_(std::move(space)) {}
  WriteSet(const WriteSet& other);
  WriteSet& operator=(const WriteSet& other);
  WriteSet(WriteSet&&) = default;
  WriteSet& operator=(WriteSet&&) = default;

  const IndexSpace& space() const { return space_; }
  int64_t bytes() const { return bytes_; }
  // Adds the footprint; returns how many of its bytes were not in the set.
  int64_t add(const Footprint& footprint);
  // How many of the footprint's bytes are in the set.
  int64_t covered(const Footprint& footprint) const;
  // Calls fn(const Footprint&) for disjoint parts that together are the footprint without what is in the set.
  template <class Fn>
  void for_each_gap(const Footprint& footprint, Fn&& fn) const;
  // Calls fn(const Footprint&) for disjoint parts that together are the set, in ascending order of their start.
  template <class Fn>
  void for_each_part(Fn&& fn) const;
  // Expresses the set in a finer space. REQUIRES that `finer` came from space() by refine().
  void reshape(const IndexSpace& finer);
  // Intervals in the tree: what the set costs.
  int64_t intervals() const;

 private:
  struct Node;
  struct Branch {
    int64_t end = 0;
    std::unique_ptr<Node> below;  // null: full
  };
  struct Node {
    std::map<int64_t, Branch> branches;  // by begin
  };
  using Place = std::map<int64_t, Branch>::iterator;

  static std::unique_ptr<Node> copy(const Node& node);
  static int64_t intervals(const Node& node);
  bool full_below(const Box& box, size_t level) const;
  bool is_full(const Node& node, size_t level) const;
  int64_t bytes_below(const Box& box, size_t level) const;
  std::unique_ptr<Node> make(const Box& box, size_t level) const;
  int64_t add(Node& node, const Box& box, size_t level);
  Place cut(Node& node, Place place, int64_t at) const;
  void join(Node& node, Place place, int64_t end) const;
  template <class Fn>
  void gaps(const Node& node, Box& box, size_t level, Fn& fn) const;
  template <class Fn>
  void parts(const Node& node, Box& box, size_t level, Fn& fn) const;

  IndexSpace space_;
  Node root_;
  int64_t bytes_ = 0;
};

template <class Fn>
void WriteSet::for_each_gap(const Footprint& footprint, Fn&& fn) const {
  space_.for_each_box(footprint, [&](const Box& found) {
    Box box = found;
    gaps(root_, box, 0, fn);
  });
}

template <class Fn>
void WriteSet::for_each_part(Fn&& fn) const {
  Box box(space_.levels(), {});
  parts(root_, box, 0, fn);
}

// `box` is narrowed on the way down and given back as it was.
template <class Fn>
void WriteSet::gaps(const Node& node, Box& box, size_t level, Fn& fn) const {
  const Interval whole = box[level];
  auto missing = [&](int64_t begin, int64_t end) {
    if (begin >= end) return;
    box[level] = {begin, end};
    fn(space_.footprint(box));
  };
  int64_t cursor = whole.begin;
  auto place = node.branches.upper_bound(whole.begin);
  if (place != node.branches.begin() && std::prev(place)->second.end > whole.begin) --place;
  for (; place != node.branches.end() && place->first < whole.end; ++place) {
    missing(cursor, place->first);
    const Interval common{std::max(place->first, whole.begin), std::min(place->second.end, whole.end)};
    if (place->second.below) {
      box[level] = common;
      gaps(*place->second.below, box, level + 1, fn);
    }
    cursor = common.end;
  }
  missing(cursor, whole.end);
  box[level] = whole;
}

template <class Fn>
void WriteSet::parts(const Node& node, Box& box, size_t level, Fn& fn) const {
  for (const auto& [begin, branch] : node.branches) {
    box[level] = {begin, branch.end};
    if (branch.below) {
      parts(*branch.below, box, level + 1, fn);
      continue;
    }
    for (size_t lower = level + 1; lower < box.size(); ++lower) box[lower] = {0, space_.radix(lower)};
    fn(space_.footprint(box));
  }
}

}  // namespace reloadlab::layerwise
