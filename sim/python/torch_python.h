#pragma once
// The one place that includes Torch's Python half.
#include <torch/csrc/DynamicTypes.h>
#include <torch/csrc/autograd/python_variable.h>
#include <torch/csrc/utils/pybind.h>

namespace reloadlab::python {

namespace py = pybind11;

inline py::object object_of(const at::Tensor& tensor) { return py::reinterpret_steal<py::object>(THPVariable_Wrap(tensor)); }
inline const at::Tensor& tensor_of(const py::handle& object) { return THPVariable_Unpack(object.ptr()); }
inline bool is_tensor(const py::handle& object) { return THPVariable_Check(object.ptr()); }

// Of a dictionary: another one after every change, and no other dictionary has the same. Deprecated in Python 3.12, which has it still.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
inline uint64_t version_of(const py::handle& dictionary) { return reinterpret_cast<PyDictObject*>(dictionary.ptr())->ma_version_tag; }
#pragma GCC diagnostic pop
inline py::dict attributes_of(const py::handle& object) {
  return py::reinterpret_steal<py::dict>(PyObject_GenericGetDict(object.ptr(), nullptr));
}

}  // namespace reloadlab::python
