// The checkpoints that are computed: from a seed, from element numbers, from another checkpoint.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/checkpoint/checkpoint.h"
#include "sim/checkpoint/fresh.h"
#include "sim/checkpoint/values.h"

namespace reloadlab::sim {
namespace {

class SyntheticCheckpoint : public Checkpoint {
 public:
  explicit SyntheticCheckpoint(uint64_t seed) : seed_(seed) {}

  Result<at::Tensor> read(const model::Delivery& delivery) const override {
    at::Tensor tensor = fresh_tensor(delivery);
    fill_synthetic(bytes_of(tensor), delivery.dtype, seed_, delivery.content());
    return tensor;
  }

 private:
  uint64_t seed_;
};

class DigitCheckpoint : public Checkpoint {
 public:
  DigitCheckpoint(const std::vector<model::Delivery>& deliveries, int plane) : plane_(plane) {
    std::vector<int64_t> first = first_numbers(deliveries);
    for (size_t i = 0; i < deliveries.size(); ++i) first_.emplace(deliveries[i].name, first[i]);
  }

  Result<at::Tensor> read(const model::Delivery& delivery) const override {
    auto first = first_.find(delivery.name);
    if (first == first_.end())
      return Status(Code::data, fmt::format("{}: its elements have no numbers, expected a delivery of the model", delivery.name));
    at::Tensor tensor = fresh_tensor(delivery);
    fill_digits(bytes_of(tensor), delivery.dtype, first->second, plane_);
    return tensor;
  }

 private:
  std::map<std::string, int64_t> first_;
  int plane_;
};

class PerturbedCheckpoint : public Checkpoint {
 public:
  PerturbedCheckpoint(std::shared_ptr<const Checkpoint> base, uint64_t seed) : base_(std::move(base)), seed_(seed) {}

  Result<at::Tensor> read(const model::Delivery& delivery) const override {
    RELOADLAB_ASSIGN(at::Tensor tensor, base_->read(delivery));
    perturb(bytes_of(tensor), delivery.dtype, seed_, delivery.content());
    return tensor;
  }

  std::vector<std::string> unexpected() const override { return base_->unexpected(); }

 private:
  std::shared_ptr<const Checkpoint> base_;
  uint64_t seed_;
};

class RememberedCheckpoint : public Checkpoint {
 public:
  RememberedCheckpoint(std::shared_ptr<const Checkpoint> base, size_t bytes_each) : base_(std::move(base)), bytes_each_(bytes_each) {}

  Result<at::Tensor> read(const model::Delivery& delivery) const override {
    if (auto known = known_.find(delivery.name); known != known_.end()) {
      at::Tensor tensor = fresh_tensor(delivery);
      std::ranges::copy(known->second, bytes_of(tensor).begin());
      return tensor;
    }
    RELOADLAB_ASSIGN(at::Tensor tensor, base_->read(delivery));
    const std::span<const std::byte> bytes = bytes_of(tensor);
    if (bytes.size() <= bytes_each_) known_.emplace(delivery.name, std::vector(bytes.begin(), bytes.end()));
    return tensor;
  }

  std::vector<std::string> unexpected() const override { return base_->unexpected(); }

 private:
  std::shared_ptr<const Checkpoint> base_;
  size_t bytes_each_;
  mutable std::map<std::string, std::vector<std::byte>> known_;
};

}  // namespace

std::unique_ptr<Checkpoint> synthetic_checkpoint(uint64_t seed) { return std::make_unique<SyntheticCheckpoint>(seed); }

std::unique_ptr<Checkpoint> digit_checkpoint(const std::vector<model::Delivery>& deliveries, int plane) {
  return std::make_unique<DigitCheckpoint>(deliveries, plane);
}

std::unique_ptr<Checkpoint> perturbed_checkpoint(std::shared_ptr<const Checkpoint> base, uint64_t seed) {
  return std::make_unique<PerturbedCheckpoint>(std::move(base), seed);
}

std::shared_ptr<const Checkpoint> remembered_checkpoint(std::shared_ptr<const Checkpoint> base, size_t bytes_each) {
  return std::make_shared<RememberedCheckpoint>(std::move(base), bytes_each);
}

}  // namespace reloadlab::sim
