#include "reference/model/quant/apply_scales.h"

namespace reloadlab::model {

std::vector<int64_t> part_rows(const Layer& layer, int64_t rows) {
  if (!layer.spec.values.contains("outs")) return {rows};
  std::vector<int64_t> parts = layer.spec.integers("outs");
  for (int64_t& part : parts) part /= layer.tp.size;
  return parts;
}

at::Tensor& scale_parts(at::Tensor& single, const at::Tensor& scales, const Layer& layer) {
  if (scales.numel() == 1) return single.mul_(scales);
  int64_t first = 0, index = 0;
  for (int64_t rows : part_rows(layer, single.size(0))) {
    single.narrow(0, first, rows).mul_(scales.narrow(0, index++, 1));
    first += rows;
  }
  return single;
}

namespace {

// Boxes of one size that follow one another along a dimension.
struct Run {
  int64_t first, count, size;
};

// The whole boxes, and the one that is cut.
std::vector<Run> runs_of(int64_t length, int64_t box) {
  std::vector<Run> runs;
  if (length >= box) runs.push_back({0, length / box, box});
  if (length % box != 0) runs.push_back({length / box, 1, length % box});
  return runs;
}

}  // namespace

// One operator for all boxes of a size: a large weight has thousands.
at::Tensor& scale_boxes(at::Tensor& single, const at::Tensor& scales, int64_t box) {
  for (const Run& down : runs_of(single.size(0), box))
    for (const Run& across : runs_of(single.size(1), box)) {
      const at::Tensor rows = single.narrow(0, down.first * box, down.count * down.size);
      const at::Tensor part = rows.narrow(1, across.first * box, across.count * across.size);
      const at::Tensor own = scales.narrow(0, down.first, down.count).narrow(1, across.first, across.count);
      part.view({down.count, down.size, across.count, across.size}).mul_(own.unsqueeze(1).unsqueeze(3));
    }
  return single;
}

}  // namespace reloadlab::model
