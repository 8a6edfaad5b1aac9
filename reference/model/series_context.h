#pragma once
// What a shared-weight series knows of where it runs. A series' layers live on one rank of its group each; the others see them through
// windows that broadcasts fill.
#include <c10/core/Device.h>

#include <string>

#include "reference/model/c10d_names.h"

namespace reloadlab::model {

class Model;

struct SeriesContext {
  std::string name;                              // of the series, the same on all ranks of the group
  c10::intrusive_ptr<c10d::ProcessGroup> group;  // of all ranks that share; owners and roots are ranks of this group
  c10::Device device;                            // of this rank's weights
  int64_t prefetch = 1;                          // k: how many layers ahead broadcasts are started
  // What those ranks can tell each other beside the group, which works where the group hangs; null: nothing. Keys are the series'.
  c10::intrusive_ptr<c10d::Store> store;
  Model* model = nullptr;  // that the layers are of; null: whoever made this has none
};

}  // namespace reloadlab::model
