#include "sim/python/values.h"

namespace reloadlab::python {
namespace {

bool are_integers(const py::handle& object) {
  if (!PyList_Check(object.ptr()) && !PyTuple_Check(object.ptr())) return false;
  for (const py::handle each : object)
    if (!PyLong_Check(each.ptr()) || PyBool_Check(each.ptr())) return false;
  return true;
}

std::optional<Value> read_value(const py::handle& object) {
  if (PyBool_Check(object.ptr())) return Value(object.cast<bool>());
  if (PyLong_Check(object.ptr())) return Value(object.cast<int64_t>());
  if (PyFloat_Check(object.ptr())) return Value(object.cast<double>());
  if (PyUnicode_Check(object.ptr())) return Value(object.cast<std::string>());
  if (are_integers(object)) return Value(object.cast<std::vector<int64_t>>());
  return std::nullopt;
}

}  // namespace

py::object shown_value(const Value& value) {
  return std::visit([](const auto& each) { return py::cast(each); }, value);
}

Values read_values(const py::dict& attributes) {
  Values values;
  for (const auto& [name, object] : attributes) {
    const std::string key = name.cast<std::string>();
    if (key.starts_with("_")) continue;
    if (std::optional<Value> value = read_value(object)) values.emplace(key, *std::move(value));
  }
  return values;
}

}  // namespace reloadlab::python
