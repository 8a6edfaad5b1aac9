#include "sim/replay/boxes.h"

#include <algorithm>
#include <optional>

namespace reloadlab::sim {
namespace {

bool overlap(const Box& a, const Box& b) {
  for (size_t d = 0; d < a.start.size(); ++d)
    if (a.start[d] + a.extent[d] <= b.start[d] || b.start[d] + b.extent[d] <= a.start[d]) return false;
  return true;
}

// a without b, as disjoint boxes: per dimension the slabs of a before and after b, then what remains lies inside b.
void subtract(Box a, const Box& b, std::vector<Box>& out) {
  if (!overlap(a, b)) {
    out.push_back(std::move(a));
    return;
  }
  for (size_t d = 0; d < a.start.size(); ++d) {
    int64_t begin = a.start[d], end = begin + a.extent[d];
    int64_t low = std::max(begin, b.start[d]), high = std::min(end, b.start[d] + b.extent[d]);
    if (begin < low) {
      Box slab = a;
      slab.extent[d] = low - begin;
      out.push_back(std::move(slab));
    }
    if (high < end) {
      Box slab = a;
      slab.start[d] = high;
      slab.extent[d] = end - high;
      out.push_back(std::move(slab));
    }
    a.start[d] = low;
    a.extent[d] = high - low;
  }
}

// Whether they touch and are one box together, which `a` then is.
bool join(Box& a, const Box& b) {
  std::optional<size_t> along;
  for (size_t d = 0; d < a.start.size(); ++d) {
    if (a.start[d] == b.start[d] && a.extent[d] == b.extent[d]) continue;
    if (along) return false;
    along = d;
  }
  if (!along || (a.start[*along] + a.extent[*along] != b.start[*along] && b.start[*along] + b.extent[*along] != a.start[*along]))
    return false;
  a.start[*along] = std::min(a.start[*along], b.start[*along]);
  a.extent[*along] += b.extent[*along];
  return true;
}

}  // namespace

int64_t Box::numel() const { return reloadlab::numel(extent); }

bool BoxSet::meets(const Box& box) const {
  return box.numel() > 0 && std::ranges::any_of(boxes_, [&](const Box& known) { return overlap(known, box); });
}

int64_t BoxSet::add(const Box& box) {
  std::vector<Box> fresh{box}, next;
  for (const Box& known : boxes_) {
    next.clear();
    for (Box& piece : fresh) subtract(std::move(piece), known, next);
    fresh.swap(next);
    if (fresh.empty()) return 0;
  }
  int64_t added = 0;
  for (Box& piece : fresh) {
    added += piece.numel();
    if (piece.numel() > 0) keep(std::move(piece));
  }
  numel_ += added;
  return added;
}

// Hundreds of experts fill a slot one after the other.
void BoxSet::keep(Box box) {
  for (size_t i = boxes_.size(); i > 0; --i)
    if (join(boxes_[i - 1], box)) {
      box = std::move(boxes_[i - 1]);
      boxes_.erase(boxes_.begin() + static_cast<std::ptrdiff_t>(i) - 1);
      i = boxes_.size() + 1;
    }
  boxes_.push_back(std::move(box));
}

}  // namespace reloadlab::sim
