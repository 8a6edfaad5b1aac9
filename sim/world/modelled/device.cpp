#include "sim/world/modelled/device.h"

#include <ATen/Parallel.h>
#include <ATen/ops/from_blob.h>
#include <torch/library.h>

#include "sim/world/modelled/machine.h"

namespace reloadlab::sim::modelled {
namespace {

constexpr int devices_with_numbers = 128;

struct DeviceAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override { return Machine::required().memory().allocate(bytes); }
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
};

}  // namespace

c10::Device modelled_device(int device) {
  return {c10::DeviceType::PrivateUse1, static_cast<c10::DeviceIndex>(device % devices_with_numbers)};
}

int device_called(c10::DeviceIndex number) {
  const Machine* machine = Machine::current();
  if (!machine || machine->config().ranks <= devices_with_numbers) return number;
  int host = machine->host();
  return host < machine->config().ranks && host % devices_with_numbers == number ? host : number;
}

c10::Allocator& modelled_allocator() {
  static DeviceAllocator allocator;
  return allocator;
}

namespace {

bool without_bytes() { return Machine::current() && !Machine::current()->config().bytes; }

}  // namespace

void need_bytes(const std::string& what) { TORCH_CHECK(!without_bytes(), what, " is asked for on a device that has shapes and no bytes"); }

at::Tensor alias_on_cpu(const at::Tensor& tensor) {
  if (without_bytes()) return {};
  auto* data = static_cast<char*>(tensor.storage().mutable_data());
  if (data) data += tensor.storage_offset() * static_cast<int64_t>(tensor.element_size());
  return at::from_blob(data, tensor.sizes(), tensor.strides(), tensor.options().device(at::kCPU));
}

Access access_to(const at::Tensor& tensor, bool write) {
  return {Region(Memory::block_of(tensor.storage()), static_cast<int64_t>(tensor.element_size()), tensor.storage_offset(), tensor.sizes(),
                 tensor.strides()),
          write};
}

void on_device(const std::function<void()>& kernel) {
  AccountScope nobody(nullptr);
  c10::DispatchKeySet autograd = c10::autograd_dispatch_keyset.add(c10::DispatchKey::ADInplaceOrView);
  c10::impl::ForceDispatchKeyGuard plain(c10::default_included_set - autograd, c10::default_excluded_set | autograd);
  kernel();
}

Stream& stream_here(int device) {
  Machine& machine = Machine::required();
  return machine.stream(device, machine.current_stream(device));
}

void install_modelled_devices() {
  static const bool installed = [] {
    static torch::Library aten(torch::Library::IMPL, "aten", c10::DispatchKey::PrivateUse1, __FILE__, __LINE__);
    static torch::Library any(torch::Library::IMPL, "_", c10::DispatchKey::PrivateUse1, __FILE__, __LINE__);
    c10::register_privateuse1_backend("sim");
    c10::SetAllocator(c10::DeviceType::PrivateUse1, &modelled_allocator());
    read_serials_of(c10::DeviceType::PrivateUse1, &Memory::serial_of);
    register_guard();
    register_tensor_operators(aten);
    register_copies(aten);
    register_kernels(any);
    at::set_num_threads(1);
    return true;
  }();
  (void)installed;
}

}  // namespace reloadlab::sim::modelled
