// What a test runner in Python sees of sim/campaign/gate.h. Candidates are played in workers, and never in its own process.
#include "sim/python/gate_module.h"

#include <fmt/format.h>
#include <torch/csrc/utils/pybind.h>

#include "reference/base/program.h"
#include "sim/campaign/gate.h"
#include "sim/campaign/party.h"
#include "sim/python/value_error.h"

namespace py = pybind11;

namespace reloadlab::sim {
namespace {

std::unique_ptr<Gate> open_gate(std::vector<std::string> candidates, std::vector<std::string> laws, bool expectations, std::string today,
                                double silence_seconds, std::string log, std::vector<std::string> command) {
  hosted_by(command);
  command.emplace_back("worker");
  Engine engine = with_rank_processes(built_in_engine(), command);
  command.insert(command.end(), {"--hang-after", fmt::format("{}s", silence_seconds)});
  GateOptions options{.expectations = expectations, .today = std::move(today)};
  options.selection.candidates = std::move(candidates);
  options.selection.laws = std::move(laws);
  options.workers = {.command = std::move(command), .silence_seconds = silence_seconds, .log = std::move(log)};
  return std::make_unique<Gate>(std::move(engine), std::move(options));
}

py::list add_cases(Gate& gate, const std::string& path) {
  const std::vector<size_t> numbers = [&] {
    const py::gil_scoped_release released;
    return value_of(gate.add(path));
  }();
  py::list cases;
  for (const size_t number : numbers) {
    const Job& job = gate.job(number);
    cases.append(py::make_tuple(number, job.the_case.id(), job.candidate, job.the_case.tags));
  }
  return cases;
}

std::string texts_of(const CaseResult& one, State state) {
  std::string text;
  for (const LawResult& law : one.laws)
    if (law.state == state)
      text += fmt::format("{}{}: {}{}{}", text.empty() ? "" : "; ", law.law, law.rule, law.rule.empty() ? "" : ": ", law.reason);
  return text;
}

// What it came to in a test runner's words, and what there is to say of it.
std::pair<std::string, std::string> outcome_of(const Played& played) {
  const CaseResult& one = played.result;
  if (one.end == End::skipped) return {"skipped", one.reason};
  if (played.code == Exit::nothing_ran) return {"skipped", texts_of(one, State::unsupported)};
  if (played.code != Exit::held) return {"failed", played.text};
  if (std::string known = texts_of(one, State::known); !known.empty()) return {"known", std::move(known)};
  return {"passed", texts_of(one, State::quarantined)};
}

std::pair<std::string, std::string> play_case(Gate& gate, size_t number) {
  const py::gil_scoped_release released;
  return outcome_of(value_of(gate.play(number)));
}

}  // namespace

void add_gate(py::module_& module) {
  py::class_<Gate>(module, "Gate")
      .def(py::init(&open_gate), py::kw_only(), py::arg("candidates"), py::arg("laws"), py::arg("expectations"), py::arg("today"),
           py::arg("silence_seconds"), py::arg("log"), py::arg("command"))
      .def("add", &add_cases)
      .def("play", &play_case);
}

}  // namespace reloadlab::sim
