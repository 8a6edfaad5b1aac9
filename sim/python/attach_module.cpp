// What Python sees of sim/attach. Evidence crosses as bytes, so that processes can send it to each other.
#include "sim/python/attach_module.h"

#include <torch/csrc/utils/pybind.h>

#include <nlohmann/json.hpp>

#include "sim/attach/attached.h"
#include "sim/attach/memory_watch.h"
#include "sim/evidence/archive.h"
#include "sim/evidence/enums.h"
#include "sim/evidence/store.h"
#include "sim/python/value_error.h"

namespace py = pybind11;

namespace reloadlab::sim {
namespace {

using Outputs = std::vector<std::pair<std::string, at::Tensor>>;

CensusEntry::Kind kind_named(const std::string& name) {
  using Kind = CensusEntry::Kind;
  for (const Kind kind : {Kind::parameter, Kind::buffer, Kind::empty_parameter, Kind::empty_buffer, Kind::extra_tensor, Kind::extra_host})
    if (archive::enum_name(kind) == name) return kind;
  throw py::value_error("no kind of name is called " + name);
}

// A name may be no UTF-8: Python's own way for bytes that are none.
std::string text_from(const py::handle& text) {
  Py_ssize_t size = 0;
  if (const char* utf8 = PyUnicode_AsUTF8AndSize(text.ptr(), &size)) return {utf8, static_cast<size_t>(size)};
  PyErr_Clear();
  return py::reinterpret_steal<py::bytes>(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "backslashreplace"));
}

// Of a walk's `Held`, in its order.
Held held_from(const py::tuple& named) {
  Held held;
  CensusEntry& entry = held.entry;
  entry.path = text_from(named[0]);
  entry.layer = text_from(named[1]);
  entry.kind = kind_named(named[2].cast<std::string>());
  if (const py::object tensor = named[3]; !tensor.is_none()) held.tensor = tensor.cast<at::Tensor>();
  entry.persistent = named[4].cast<bool>();
  entry.handle = named[5].cast<int64_t>();
  entry.tensor_class = text_from(named[6]);
  entry.loader = text_from(named[7]);
  entry.attributes = text_from(named[8]);
  entry.host = named[9].cast<double>();
  return held;
}

Moment moment_from(const py::object& object) {
  Moment moment;
  const py::list held = object.attr("held");
  moment.held.reserve(held.size());
  for (const py::handle each : held) moment.held.push_back(held_from(py::cast<py::tuple>(each)));
  moment.flags = text_from(object.attr("flags"));
  return moment;
}

std::vector<GraphOutput> outputs_from(const Outputs& outputs) {
  std::vector<GraphOutput> made;
  for (const auto& [graph, output] : outputs) made.push_back({graph, output});
  return made;
}

py::bytes bytes_of(const Evidence& evidence) {
  const std::vector<uint8_t> bytes = to_cbor(evidence);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Evidence evidence_from(const py::bytes& bytes) {
  const std::string_view text = bytes;
  return value_of(evidence_from_cbor(std::as_bytes(std::span(text))));
}

nlohmann::json json_of(const LawResult& law) {
  nlohmann::json json{{"law", law.law}, {"state", state_name(law.state)}, {"reason", law.reason}};
  if (law.finding)
    json.update({{"rank", law.finding->rank},
                 {"step", law.finding->step},
                 {"tensor", law.finding->tensor},
                 {"what", law.finding->what},
                 {"first", law.finding->first}});
  return json;
}

py::tuple verdicts_of(const Evidence& evidence) {
  const CaseResult result = judge_attached(evidence);
  nlohmann::json verdicts = nlohmann::json::array();
  for (const LawResult& law : result.laws) verdicts.push_back(json_of(law));
  return py::make_tuple(verdicts.dump(), text_of(result));
}

void update(Attached& attached, const std::string& checkpoint, const std::optional<std::string>& error, int64_t peak, int64_t after,
            const std::array<int64_t, 4>& live, const py::object& moment) {
  attached.update({.checkpoint = checkpoint,
                   .status = error ? Status(Code::failed, *error) : Status(),
                   .extra_bytes_peak = peak,
                   .extra_bytes_after = after,
                   .live_layers = live[0],
                   .live_parameters = live[1],
                   .live_allocations = live[2],
                   .live_bytes = live[3]},
                  moment_from(moment));
}

py::bytes merged(const std::vector<py::bytes>& ranks) {
  std::vector<Evidence> parts;
  for (const py::bytes& each : ranks) parts.push_back(evidence_from(each));
  return bytes_of(value_of(merge_attached(std::move(parts))));
}

Attached make(std::string name, std::string candidate, std::vector<std::string> laws, std::optional<int64_t> extra_bytes, bool bytes,
              bool on_gpu, int rank, int ranks) {
  return value_of(Attached::make({std::move(name), std::move(candidate), std::move(laws), extra_bytes, bytes, on_gpu, rank, ranks}));
}

}  // namespace

void add_attach(py::module_& module) {
  py::class_<MemoryWatch>(module, "MemoryWatch")
      .def(py::init<>())
      .def("peak", &MemoryWatch::peak)
      .def("now", &MemoryWatch::now)
      .def("stop", &MemoryWatch::stop);
  py::class_<Attached>(module, "Attached")
      .def(py::init(&make), py::kw_only(), py::arg("name"), py::arg("candidate"), py::arg("laws"), py::arg("extra_bytes"), py::arg("bytes"),
           py::arg("on_gpu"), py::arg("rank"), py::arg("ranks"))
      .def("cold", [](Attached& self, const std::string& checkpoint, const py::object& moment,
                      const Outputs& outputs) { self.cold(checkpoint, moment_from(moment), outputs_from(outputs)); })
      .def("twin", &Attached::twin, py::arg("checkpoint"))
      .def("begin",
           [](Attached& self, const std::string& checkpoint, const py::object& moment) { self.begin(checkpoint, moment_from(moment)); })
      .def("update", &update)
      .def("graphs", [](Attached& self, const Outputs& outputs) { self.graphs(outputs_from(outputs)); })
      .def("judge", [](const Attached& self) { return verdicts_of(self.evidence()); })
      .def("forget", &Attached::forget, py::arg("growth"))
      .def("evidence", [](const Attached& self) { return bytes_of(self.evidence()); });
  module.def("judge_attached", [](const py::bytes& evidence) { return verdicts_of(evidence_from(evidence)); });
  module.def("merge_attached", &merged);
}

}  // namespace reloadlab::sim
