#pragma once
// A failure that Python code hears as a ValueError.
#include <pybind11/pybind11.h>

#include <utility>

#include "reference/base/status.h"

namespace reloadlab::sim {

inline void check(const Status& status) {
  if (!status.ok()) throw pybind11::value_error(status.message());
}

template <class T>
T value_of(Result<T> result) {
  check(result.status());
  return *std::move(result);
}

}  // namespace reloadlab::sim
