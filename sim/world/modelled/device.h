#pragma once
// The devices `sim:r` as LibTorch sees them (PrivateUse1): device guard with streams and events, allocator, operators. Nothing is
// registered before the first machine is made, so a process that makes none pays nothing.
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <functional>

#include "sim/world/modelled/action.h"
#include "sim/world/modelled/memory.h"

namespace torch {
class Library;
}

namespace reloadlab::sim::modelled {

class Machine;

void install_modelled_devices();
// LibTorch numbers at most 128 devices. In larger machines device r is called sim:(r mod 128), and a host sees its own device alone, as
// where ranks are spread over nodes.
c10::Device modelled_device(int device);
// The device that the calling host calls by that number.
int device_called(c10::DeviceIndex number);
inline bool is_modelled(const at::Tensor& tensor) { return tensor.defined() && tensor.device().type() == c10::DeviceType::PrivateUse1; }
c10::Allocator& modelled_allocator();

// A CPU tensor over the bytes of a modelled one as it is now. Holds the address and nothing of the tensor. Undefined where the machine's
// memory has no bytes.
at::Tensor alias_on_cpu(const at::Tensor& tensor);
// Throws c10::Error where the machine's memory has no bytes: whoever asks for `what` cannot have it.
void need_bytes(const std::string& what);
// The bytes that the tensor covers.
Access access_to(const at::Tensor& tensor, bool write);
// Runs `kernel` as a device would: no autograd, no taps, nobody's account.
void on_device(const std::function<void()>& kernel);

// The calling host's current stream on the device.
Stream& stream_here(int device);

// Parts of the registration, one a file.
void register_guard();
void register_tensor_operators(torch::Library& aten);  // memory, views, set_: what moves no data
void register_copies(torch::Library& aten);            // copy_, item and other host synchronizations
void register_kernels(torch::Library& any);            // the boxed fallback

}  // namespace reloadlab::sim::modelled
