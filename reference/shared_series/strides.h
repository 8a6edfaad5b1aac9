#pragma once
// What windows keep of the weights that they stand for: element type, sizes, strides and device; and how such memory is sent.
#include <ATen/core/Tensor.h>

#include <string>

namespace reloadlab::shared_series {

struct Strided {
  at::ScalarType dtype = at::kFloat;
  c10::DimVector sizes, strides;
  c10::Device device{c10::kCPU};
  bool operator==(const Strided&) const = default;
};

Strided strided(const at::Tensor& tensor);
std::string describe(const Strided& strided);  // "Float [8, 8] by [1, 8]": the same on all ranks
at::Tensor make(const Strided& strided);
at::Tensor make_on(c10::Device device, Strided strided);

// A contiguous tensor over the same memory, of a type that every communicator knows. REQUIRES memory without gaps.
at::Tensor on_the_wire(const at::Tensor& tensor);
// True where `wire` was made from what the tensor is now.
bool is_wire_of(const at::Tensor& wire, const at::Tensor& tensor);

// What is left of a weight that lives elsewhere: one element, so that its type can still be asked for.
void dispose(at::Tensor& weight);
// The weight is that memory from now on; nothing happens where it is already.
void become(at::Tensor& weight, const at::Tensor& memory);

}  // namespace reloadlab::shared_series
