#include "reference/layerwise/accounting/write_set.h"

#include <algorithm>

namespace reloadlab::layerwise {

WriteSet::WriteSet(const WriteSet& other) : space_(other.space_), bytes_(other.bytes_) { root_ = std::move(*copy(other.root_)); }

WriteSet& WriteSet::operator=(const WriteSet& other) {
  if (this != &other) *this = WriteSet(other);
  return *this;
}

std::unique_ptr<WriteSet::Node> WriteSet::copy(const Node& node) {
  auto made = std::make_unique<Node>();
  for (const auto& [begin, branch] : node.branches)
    made->branches.emplace_hint(made->branches.end(), begin, Branch{branch.end, branch.below ? copy(*branch.below) : nullptr});
  return made;
}

int64_t WriteSet::intervals(const Node& node) {
  int64_t count = 0;
  for (const auto& [begin, branch] : node.branches) count += 1 + (branch.below ? intervals(*branch.below) : 0);
  return count;
}

int64_t WriteSet::intervals() const { return intervals(root_); }

int64_t WriteSet::add(const Footprint& footprint) {
  if (!space_.fits(footprint)) {
    IndexSpace finer = space_;
    finer.refine(footprint);
    if (!(finer == space_)) reshape(finer);
  }
  int64_t fresh = 0;
  space_.for_each_box(footprint, [&](const Box& box) { fresh += add(root_, box, 0); });
  bytes_ += fresh;
  return fresh;
}

int64_t WriteSet::covered(const Footprint& footprint) const {
  int64_t missing = 0;
  for_each_gap(footprint, [&](const Footprint& gap) { missing += gap.bytes(); });
  return footprint.bytes() - missing;
}

void WriteSet::reshape(const IndexSpace& finer) {
  WriteSet shaped(finer);
  for_each_part([&](const Footprint& part) {
    shaped.space_.for_each_box(part, [&](const Box& box) { shaped.bytes_ += shaped.add(shaped.root_, box, 0); });
  });
  *this = std::move(shaped);
}

bool WriteSet::full_below(const Box& box, size_t level) const {
  for (size_t lower = level + 1; lower < box.size(); ++lower)
    if (box[lower].begin != 0 || box[lower].end != space_.radix(lower)) return false;
  return true;
}

bool WriteSet::is_full(const Node& node, size_t level) const {
  if (node.branches.size() != 1) return false;
  const auto& [begin, branch] = *node.branches.begin();
  return begin == 0 && branch.end == space_.radix(level) && !branch.below;
}

int64_t WriteSet::bytes_below(const Box& box, size_t level) const {
  int64_t count = 1;
  for (size_t lower = level + 1; lower < box.size(); ++lower) count *= box[lower].length();
  return count;
}

std::unique_ptr<WriteSet::Node> WriteSet::make(const Box& box, size_t level) const {
  auto node = std::make_unique<Node>();
  node->branches.emplace(box[level].begin, Branch{box[level].end, full_below(box, level) ? nullptr : make(box, level + 1)});
  return node;
}

// Cuts the branch in two at a coordinate inside it; returns the right part.
WriteSet::Place WriteSet::cut(Node& node, Place place, int64_t at) const {
  Branch right{place->second.end, place->second.below ? copy(*place->second.below) : nullptr};
  place->second.end = at;
  return node.branches.emplace_hint(std::next(place), at, std::move(right));
}

// Grows full neighbours together, from `place` to the branch that starts at `end`.
void WriteSet::join(Node& node, Place place, int64_t end) const {
  while (place != node.branches.end() && place->first <= end) {
    auto next = std::next(place);
    if (next == node.branches.end()) return;
    const bool grows = !place->second.below && !next->second.below && place->second.end == next->first;
    if (!grows) {
      place = next;
      continue;
    }
    place->second.end = next->second.end;
    node.branches.erase(next);
  }
}

int64_t WriteSet::add(Node& node, const Box& box, size_t level) {
  const Interval whole = box[level];
  const bool full = full_below(box, level);
  const int64_t bytes_each = bytes_below(box, level);
  int64_t fresh = 0;
  auto fill = [&](Place hint, int64_t begin, int64_t end) {
    if (begin >= end) return;
    fresh += (end - begin) * bytes_each;
    if (full && hint != node.branches.begin()) {
      Branch& before = std::prev(hint)->second;
      if (!before.below && before.end == begin) {  // what comes in order needs no branch of its own
        before.end = end;
        return;
      }
    }
    node.branches.emplace_hint(hint, begin, Branch{end, full ? nullptr : make(box, level + 1)});
  };
  int64_t cursor = whole.begin;
  auto place = node.branches.upper_bound(whole.begin);
  if (place != node.branches.begin() && std::prev(place)->second.end > whole.begin) --place;
  const bool follows = place != node.branches.begin();
  const Place before = follows ? std::prev(place) : place;
  while (place != node.branches.end() && place->first < whole.end) {
    fill(place, cursor, place->first);
    cursor = std::min(place->second.end, whole.end);
    if (place->second.below) {
      if (place->first < whole.begin) place = cut(node, place, whole.begin);
      if (place->second.end > whole.end) cut(node, place, whole.end);
      fresh += add(*place->second.below, box, level + 1) * (place->second.end - place->first);
      if (is_full(*place->second.below, level + 1)) place->second.below.reset();
    }
    ++place;
  }
  fill(place, cursor, whole.end);
  if (fresh > 0) join(node, follows ? before : node.branches.begin(), whole.end);
  return fresh;
}

}  // namespace reloadlab::layerwise
