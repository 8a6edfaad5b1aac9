#pragma once
// A process group that tells what is issued to it and hands it on: the harness's own eyes on communication, in every world.
#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include "reference/model/c10d_names.h"

namespace reloadlab::sim {

struct IssuedCollective {
  std::string operation;               // "broadcast"
  int64_t root = -1;                   // rank inside the group; -1: the operation has none
  const at::Tensor* tensor = nullptr;  // this rank's part; null: none
};
using CollectiveListener = std::function<void(const IssuedCollective&)>;

// REQUIRES a group with one backend, for tensors on `device`. The listener is called before the operation is issued.
c10::intrusive_ptr<c10d::ProcessGroup> recording_group(const c10::intrusive_ptr<c10d::ProcessGroup>& group, c10::DeviceType device,
                                                       CollectiveListener listener);

}  // namespace reloadlab::sim
