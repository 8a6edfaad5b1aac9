#pragma once
// A matrix [n, k] cut into boxes that have a scale each. Where boxes do not divide it, it is padded to whole ones with zeros.
#include <ATen/core/Tensor.h>

namespace reloadlab::model {

struct Boxes {
  int64_t down, across, rows, columns;
  int64_t count() const { return down * across; }
  int64_t padded_rows() const { return down * rows; }
  int64_t padded_columns() const { return across * columns; }
  int64_t elements() const { return padded_rows() * padded_columns(); }
};

Boxes cut(int64_t n, int64_t k, int64_t rows, int64_t columns);  // rows, columns 0: as many as there are

// All tensors are dense, in single precision; a matrix is padded, and scales have as many elements as there are boxes.
at::Tensor single_precision(const at::Tensor& matrix, const Boxes& boxes);
void find_scales(const at::Tensor& scales, const at::Tensor& single, const Boxes& boxes, double largest);  // 1 for a box of zeros
int64_t scale_working_bytes(const Boxes& boxes);                                                           // of find_scales, at its peak
void divide(const at::Tensor& single, const at::Tensor& scales, const Boxes& boxes, double largest);       // clamped to ±largest
at::Tensor& one_nan(
    at::Tensor& values);  // whatever is no number gets the same bits, also its sign: those that operators leave differ by machine
void multiply(const at::Tensor& single, const at::Tensor& scales, const Boxes& boxes);

}  // namespace reloadlab::model
