#include "reference/model/quant/apply_scales.h"

#include <algorithm>

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

at::Tensor& scale_boxes(at::Tensor& single, const at::Tensor& scales, int64_t box) {
  for (int64_t i = 0; i < scales.size(0); ++i)
    for (int64_t j = 0; j < scales.size(1); ++j) {
      const at::Tensor rows = single.narrow(0, i * box, std::min(box, single.size(0) - i * box));
      rows.narrow(1, j * box, std::min(box, single.size(1) - j * box)).mul_(scales.select(0, i).select(0, j));
    }
  return single;
}

}  // namespace reloadlab::model
