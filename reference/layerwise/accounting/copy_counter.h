#pragma once
// LW5: adds up the destination's elements of every copy_ that a loader issues itself onto the meta device. Nothing else counts, no
// matter which elements they are or whose.
#include "reference/model/tap/tap.h"

namespace reloadlab::layerwise {

const c10::OperatorHandle& copy_operator();

class CopyCounter final : public model::OpListener {
 public:
  int64_t numel() const { return numel_; }
  // Throws when source and destination have unequal element counts: the copy is not made and the loader ends.
  void before(const c10::OperatorHandle& op, const torch::jit::Stack& stack) override;
  void after(const c10::OperatorHandle&, const torch::jit::Stack&) override {}

 private:
  int64_t numel_ = 0;
};

}  // namespace reloadlab::layerwise
