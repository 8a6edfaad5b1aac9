#include "sim/world/cpu/shared_memory.h"

#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "sim/world/cpu/closed_memory.h"
#include "sim/world/holder.h"

namespace reloadlab::sim {
namespace {

std::string failed(const char* what) { return fmt::format("{}: {}", what, std::strerror(errno)); }

// Of the other process.
class Files final : public Keeper {
 public:
  std::string make(int64_t number, int64_t bytes, MemoryHandle& handle) override {
    handle.descriptor = ::memfd_create("reloadlab", MFD_CLOEXEC);
    if (handle.descriptor < 0 || ::ftruncate(handle.descriptor, bytes) != 0) return failed("memfd_create");
    void* const at = ::mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, handle.descriptor, 0);
    if (at == MAP_FAILED) return failed("mmap");
    held_[number] = {static_cast<char*>(at), static_cast<size_t>(bytes)};
    return {};
  }
  std::string fill(int64_t number, std::string_view bytes) override {
    const auto [at, size] = held_.at(number);
    std::memcpy(at, bytes.data(), std::min(bytes.size(), size));
    return {};
  }
  void drop(int64_t number) override {
    const auto [at, size] = held_.at(number);
    ::munmap(at, size);
    held_.erase(number);
  }

 private:
  std::map<int64_t, std::pair<char*, size_t>> held_;
};

Result<Holder*> the_holder() {
  static Holder* holder = nullptr;  // to the end of the process
  if (holder) return holder;
  Files files;
  RELOADLAB_ASSIGN(Holder made, Holder::fork(files));
  return holder = new Holder(std::move(made));
}

// Pages of the file. Tensors hold it, and so does who may close it.
class Mapping {
 public:
  Mapping(void* at, size_t bytes) : at_(at), bytes_(bytes) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { closed_ ? release_closed_memory(at_, bytes_) : (void)::munmap(at_, bytes_); }
  void* at() const { return at_; }
  void close(const std::string& what) {
    if (!std::exchange(closed_, true)) close_memory(at_, bytes_, what);
  }

 private:
  void* at_;
  size_t bytes_;
  bool closed_ = false;
};

class SharedMemory final : public ForeignMemory {
 public:
  SharedMemory(Holder& holder, Holder::Made made, int64_t bytes) : holder_(holder), made_(made), bytes_(bytes) {}
  ~SharedMemory() override {
    holder_.drop(made_.number);
    ::close(made_.handle.descriptor);
  }

  Result<at::Tensor> open() override {
    const auto bytes = static_cast<size_t>(bytes_);
    void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, made_.handle.descriptor, 0);
    if (at == MAP_FAILED) return Status(Code::failed, failed("mmap"));
    mapping_ = std::make_shared<Mapping>(at, bytes);
    return at::from_blob(
        at, {bytes_}, [held = mapping_](void*) mutable { held.reset(); }, at::kByte);
  }
  Status fill(const at::Tensor& bytes) override {
    return holder_.fill(made_.number, {static_cast<const char*>(bytes.const_data_ptr()), static_cast<size_t>(bytes.numel())});
  }
  Status close(const std::string& what) override {
    if (mapping_) mapping_->close(what);
    mapping_.reset();
    return {};
  }

 private:
  Holder& holder_;
  Holder::Made made_;
  int64_t bytes_;
  std::shared_ptr<Mapping> mapping_;
};

}  // namespace

Result<std::unique_ptr<ForeignMemory>> shared_memory(int64_t bytes) {
  RELOADLAB_ASSIGN(Holder * holder, the_holder());
  RELOADLAB_ASSIGN(const Holder::Made made, holder->make(bytes));
  return std::unique_ptr<ForeignMemory>(std::make_unique<SharedMemory>(*holder, made, bytes));
}

}  // namespace reloadlab::sim
