#include "sim/python/find.h"

#include <fmt/format.h>

#include "reference/base/nearest.h"
#include "sim/python/calls.h"
#include "sim/python/helpers.h"
#include "sim/python/reloader.h"

namespace reloadlab::python {
namespace {

constexpr std::pair<std::string_view, model::EngineEventKind> kKinds[] = {{"armed", model::EngineEventKind::armed},
                                                                          {"load_counted", model::EngineEventKind::load_counted},
                                                                          {"load_dropped", model::EngineEventKind::load_dropped},
                                                                          {"completed", model::EngineEventKind::completed},
                                                                          {"processed", model::EngineEventKind::processed},
                                                                          {"copied_back", model::EngineEventKind::copied_back},
                                                                          {"disarmed", model::EngineEventKind::disarmed},
                                                                          {"missing", model::EngineEventKind::missing},
                                                                          {"excess", model::EngineEventKind::excess},
                                                                          {"unexpected", model::EngineEventKind::unexpected},
                                                                          {"warning", model::EngineEventKind::warning}};

Class forever(const py::object& type) {
  return {new py::object(type), [](const py::object*) {}};
}

// "65: message" as reloadlab/find.py says it.
Status refusal(const py::error_already_set& error) {
  const auto [code, text] = helpers().attr("refusal")(error.value()).cast<std::pair<std::string, std::string>>();
  return Status(code == "usage" ? Code::usage : Code::data, text);
}

}  // namespace

void Context::report(const std::string& kind, const std::string& layer, const std::string& slot, int64_t numel,
                     const std::string& detail) const {
  for (const auto& [name, value] : kKinds)
    if (name == kind && context.observer) return context.observer->on({value, layer, slot, numel, detail});
  std::vector<std::string_view> names;
  for (const auto& [name, value] : kKinds) names.push_back(name);
  throw py::value_error(fmt::format("no event is called \"{}\"{}", kind, did_you_mean(kind, names)));
}

Result<sim::CandidateInfo> find_class(const std::string& spelling) {
  const Gil gil;
  try {
    const py::object found = py::module_::import("reloadlab.find").attr("find_to_play")(spelling);
    sim::CandidateInfo info{.name = spelling, .system = found.attr("system").cast<std::string>()};
    info.declared = found.attr("declared").cast<std::map<std::string, std::string>>();
    if (const py::object type = found.attr("reloader"); !type.is_none())
      info.make_reloader = [type = forever(type)](const sim::CandidateContext& context) -> Result<std::unique_ptr<sim::Reloader>> {
        return make_reloader(type, {context});
      };
    if (const py::object type = found.attr("series"); !type.is_none())
      info.make_series = [type = forever(type)](const sim::CandidateContext& context,
                                                const model::SeriesContext& series) -> Result<std::unique_ptr<sim::WeightSeries>> {
        return make_series(type, {context}, series);
      };
    return info;
  } catch (py::error_already_set& error) {
    return refusal(error);
  }
}

}  // namespace reloadlab::python
