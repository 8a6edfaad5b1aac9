#pragma once
// The functions that stand behind those of the program.
#include <dlfcn.h>

#include "reference/base/check.h"

namespace reloadlab::sim::cuda {

template <class Function>
Function* behind(const char* name) {
  void* found = ::dlsym(RTLD_NEXT, name);
  RELOADLAB_CHECK(found, name);
  return reinterpret_cast<Function*>(found);
}

}  // namespace reloadlab::sim::cuda

// Declares `forward`: found when it is called first, since the libraries come with the module.
#define RELOADLAB_FORWARD(name) static const auto forward = ::reloadlab::sim::cuda::behind<decltype(name)>(#name)
