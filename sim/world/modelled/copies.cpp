// Copies between hosts and devices, and what makes a host wait for a value.
#include <ATen/MemoryOverlap.h>
#include <ATen/ops/_local_scalar_dense.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include "sim/world/modelled/device.h"
#include "sim/world/modelled/machine.h"

namespace reloadlab::sim::modelled {
namespace {

using at::Tensor;

int64_t bytes_of(const Tensor& tensor) { return static_cast<int64_t>(tensor.nbytes()); }

// Inside a device: one kernel. Between two, both streams take part: the source's work comes first, and it goes on after the copy.
void copy_on_devices(const Tensor& to, const Tensor& from) {
  Machine& machine = Machine::required();
  int to_device = device_called(to.device().index()), from_device = device_called(from.device().index());
  Stream& stream = stream_here(to_device);
  Stream& source = stream_here(from_device);
  Kernel kernel{.name = "aten::copy_", .accesses = {access_to(from, false), access_to(to, true)}};
  kernel.cost = kernel_cost(machine.config().rates, bytes_of(from) + bytes_of(to), 0);
  if (machine.config().bytes) kernel.run = [to = alias_on_cpu(to), from = alias_on_cpu(from)] { to.copy_(from); };
  if (to_device != from_device) machine.wait(stream, machine.record(source, "the source of a peer copy"));
  machine.issue(stream, std::move(kernel));
  if (to_device != from_device) machine.wait(source, machine.record(stream, "a peer copy"));
}

// The host's side is read or written when the copy executes. The host tensor's storage is kept until then, its bytes are not.
void copy_with_host(const Tensor& to, const Tensor& from, bool non_blocking) {
  Machine& machine = Machine::required();
  if (!is_modelled(to)) need_bytes("a copy to a host");
  const Tensor& device_side = is_modelled(to) ? to : from;
  Stream& stream = stream_here(device_called(device_side.device().index()));
  Kernel kernel{.name = is_modelled(to) ? "copy from host" : "copy to host", .accesses = {access_to(device_side, is_modelled(to))}};
  kernel.cost = machine.config().rates.kernel_start + duration(bytes_of(device_side), machine.config().rates.host_copy_bytes_per_s);
  auto plain = [](const Tensor& tensor) { return is_modelled(tensor) ? alias_on_cpu(tensor) : tensor.alias(); };
  if (machine.config().bytes) kernel.run = [to = plain(to), from = plain(from)] { to.copy_(from); };
  if (non_blocking) kernel.host = machine.host();
  if (!non_blocking) TORCH_CHECK(!stream.capture, "a blocking copy with a host while ", stream.name(), " is capturing");
  machine.issue(stream, std::move(kernel));
  if (!non_blocking) machine.host_wait(machine.record(stream, is_modelled(to) ? "a copy from its memory" : "a copy to its memory"));
}

Tensor& copy(Tensor& self, const Tensor& source, bool non_blocking) {
  if (self.numel() == 0 && source.numel() <= 1) return self;
  at::assert_no_internal_overlap(self);  // hosts are told at once, as by every device
  Tensor from = source.expand(self.sizes());
  if (is_modelled(self) && is_modelled(from)) {
    copy_on_devices(self, from);
  } else {
    copy_with_host(self, from, non_blocking);
  }
  return self;
}

// CPU tensors whose copy_ meets a modelled source come here, and so do those of copies that other backends hand on.
Tensor copy_from(const Tensor& source, const Tensor& to, bool non_blocking) {
  Tensor self = to;
  copy(self, source, non_blocking);
  return self;
}

at::Scalar item(const Tensor& self) {
  TORCH_CHECK(self.numel() == 1, "a tensor of ", self.numel(), " elements is no scalar");
  Tensor here;
  {
    AccountScope nobody(nullptr);
    here = at::empty(self.sizes(), self.options().device(at::kCPU));
  }
  copy_with_host(here, self, false);
  return at::_local_scalar_dense(here);
}

}  // namespace

void register_copies(torch::Library& aten) {
  aten.impl("copy_", &copy);
  aten.impl("_copy_from", &copy_from);
  aten.impl("_copy_from_and_resize", [](const Tensor& source, const Tensor& to) { return copy_from(source, to, false); });
  aten.impl("_local_scalar_dense", &item);
}

}  // namespace reloadlab::sim::modelled
