#pragma once
// Memory that another process holds and this one maps, as engines get weights by IPC handles.
#include <ATen/core/Tensor.h>

#include <string>

#include "reference/base/status.h"

namespace reloadlab::sim {

class ForeignMemory {
 public:
  virtual ~ForeignMemory() = default;
  // Its bytes, mapped here: a tensor of kByte on the world's device. Whoever holds it keeps the mapping, until close().
  virtual Result<at::Tensor> open() = 0;
  // The other process puts the bytes of a CPU tensor into it, from the beginning on; done when the call returns.
  virtual Status fill(const at::Tensor& bytes) = 0;
  // What open() gave is mapped no more, whoever holds it. `what` lies there, for messages.
  virtual Status close(const std::string& what) = 0;
};

}  // namespace reloadlab::sim
