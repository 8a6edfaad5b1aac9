#pragma once
// How a tensor lies in the memory that it arrives in, as arithmetic: the transport makes it so, and the plan counts its bytes.
#include "sim/scenario/case.h"

namespace reloadlab::sim {

struct Laid {
  Laid(const Shape& shape, LoadPlan::Layout layout);
  Shape strides;
  int64_t offset = 0;  // elements before its first one
  int64_t span = 0;    // elements of its memory, those before it and those between included
};

// What a tensor of so many bytes takes of a chunk's buffer.
int64_t in_chunk(int64_t bytes);

}  // namespace reloadlab::sim
