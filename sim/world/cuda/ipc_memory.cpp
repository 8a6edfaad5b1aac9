#include "sim/world/cuda/ipc_memory.h"

#include <ATen/ATen.h>
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <cstring>
#include <map>
#include <utility>

#include "reference/base/program.h"
#include "sim/world/cuda/observer.h"
#include "sim/world/holder.h"
#include "sim/world/module.h"

namespace reloadlab::sim::cuda {
namespace {

static_assert(sizeof(cudaIpcMemHandle_t) <= sizeof(MemoryHandle::bytes));

std::string failed(const char* what, cudaError_t error) {
  return error == cudaSuccess ? std::string() : fmt::format("{}: {}", what, cudaGetErrorString(error));
}

// Of the other process.
class Blocks final : public Keeper {
 public:
  std::string make(int64_t number, int64_t bytes, MemoryHandle& handle) override {
    void* at = nullptr;
    cudaIpcMemHandle_t made{};
    if (std::string why = failed("cudaMalloc", cudaMalloc(&at, static_cast<size_t>(bytes))); !why.empty()) return why;
    held_[number] = at;
    if (std::string why = failed("cudaIpcGetMemHandle", cudaIpcGetMemHandle(&made, at)); !why.empty()) return why;
    std::memcpy(handle.bytes.data(), &made, sizeof made);
    return {};
  }
  std::string fill(int64_t number, std::string_view bytes) override {
    const cudaError_t error = cudaMemcpy(held_.at(number), bytes.data(), bytes.size(), cudaMemcpyHostToDevice);
    return failed("cudaMemcpy", error == cudaSuccess ? cudaDeviceSynchronize() : error);
  }
  void drop(int64_t number) override {
    (void)cudaFree(held_.at(number));
    held_.erase(number);
  }

 private:
  std::map<int64_t, void*> held_;
};

Result<Holder*> the_holder(int device) {
  static std::map<int, Holder*> holders;  // to the end of the process
  if (const auto found = holders.find(device); found != holders.end()) return found->second;
  std::vector<std::string> command = this_program();
  command.insert(command.end(), {"holder", std::to_string(device)});
  RELOADLAB_ASSIGN(Holder made, Holder::start(command));
  return holders[device] = new Holder(std::move(made));
}

// Of one opening of the handle. Tensors hold it, and so does who may close it.
class Mapping {
 public:
  explicit Mapping(void* at) : at_(at) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { (void)close(); }
  cudaError_t close() {
    const Observer::Own calls;
    void* const at = std::exchange(at_, nullptr);
    return at ? cudaIpcCloseMemHandle(at) : cudaSuccess;
  }

 private:
  void* at_;
};

class IpcMemory final : public ForeignMemory {
 public:
  IpcMemory(Holder& holder, const Holder::Made& made, c10::Device device, int64_t bytes)
      : block_(std::make_shared<Block>(holder, made)), device_(device), bytes_(bytes) {}

  Result<at::Tensor> open() override {
    const Observer::Own calls;
    cudaIpcMemHandle_t handle{};
    std::memcpy(&handle, block_->made.handle.bytes.data(), sizeof handle);
    void* at = nullptr;
    if (std::string why = failed("cudaIpcOpenMemHandle", cudaIpcOpenMemHandle(&at, handle, cudaIpcMemLazyEnablePeerAccess)); !why.empty())
      return Status(Code::failed, why);
    mapping_ = std::make_shared<Mapping>(at);
    // The block outlives its mapping: to free what somebody has open is undefined.
    const auto release = [block = block_, mapping = mapping_](void*) mutable { mapping.reset(), block.reset(); };
    return at::from_blob(at, {bytes_}, release, at::TensorOptions(at::kByte).device(device_), device_);
  }
  Status fill(const at::Tensor& bytes) override {
    return block_->holder.fill(block_->made.number, {static_cast<const char*>(bytes.const_data_ptr()), static_cast<size_t>(bytes.numel())});
  }
  Status close(const std::string&) override {
    const std::string why = mapping_ ? failed("cudaIpcCloseMemHandle", mapping_->close()) : std::string();
    mapping_.reset();
    return why.empty() ? Status() : Status(Code::failed, why);
  }

 private:
  struct Block {
    Block(Holder& of, const Holder::Made& what) : holder(of), made(what) {}
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block() { holder.drop(made.number); }
    Holder& holder;
    Holder::Made made;
  };
  std::shared_ptr<Block> block_;
  std::shared_ptr<Mapping> mapping_;
  c10::Device device_;
  int64_t bytes_;
};

}  // namespace

Result<std::unique_ptr<ForeignMemory>> ipc_memory(c10::Device device, int64_t bytes) {
  RELOADLAB_ASSIGN(Holder * holder, the_holder(device.index()));
  RELOADLAB_ASSIGN(const Holder::Made made, holder->make(bytes));
  return std::unique_ptr<ForeignMemory>(std::make_unique<IpcMemory>(*holder, made, device, bytes));
}

}  // namespace reloadlab::sim::cuda

extern "C" void reloadlab_hold_memory(int device) {
  if (cudaSetDevice(device) != cudaSuccess) return;  // whoever asks finds nobody there
  reloadlab::sim::cuda::Blocks blocks;
  reloadlab::sim::serve_memory(reloadlab::sim::kHolderSocket, blocks);
}
