#include "sim/checkpoint/checkpoint.h"

namespace reloadlab::sim {
namespace {

class Mixed final : public Checkpoint {
 public:
  explicit Mixed(std::map<std::string, std::shared_ptr<const Checkpoint>> parts) : parts_(std::move(parts)) {}
  Result<at::Tensor> read(const model::Delivery& delivery) const override { return parts_.at(delivery.name)->read(delivery); }

 private:
  std::map<std::string, std::shared_ptr<const Checkpoint>> parts_;
};

}  // namespace

std::shared_ptr<const Checkpoint> mixed_checkpoint(std::map<std::string, std::shared_ptr<const Checkpoint>> parts) {
  return std::make_shared<const Mixed>(std::move(parts));
}

}  // namespace reloadlab::sim
