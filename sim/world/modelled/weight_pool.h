#pragma once
// The pool of one modelled device: blocks of its memory that are handed out while it is open.
#include "sim/world/modelled/machine.h"
#include "sim/world/modelled/memory.h"
#include "sim/world/weight_pool.h"

namespace reloadlab::sim::modelled {

class ModelledWeightPool final : public WeightPool {
 public:
  ModelledWeightPool(Machine& machine, int device) : machine_(&machine), device_(device) {}

  void open(bool open) override { machine_->memory().pool(device_, open); }
  void sleep(bool keeps, std::vector<std::pair<std::string, at::Tensor>> names) override {
    std::map<BlockId, std::string> blocks;
    for (auto& [name, tensor] : names) blocks.try_emplace(Memory::block_of(tensor.storage()), std::move(name));
    machine_->memory().sleep(device_, keeps, blocks);
  }
  void wake() override { machine_->memory().wake(device_); }
  std::string touched() override {
    machine_->synchronize_device(device_);
    return machine_->memory().take_touched(device_);
  }

 private:
  Machine* machine_;
  int device_;
};

}  // namespace reloadlab::sim::modelled
