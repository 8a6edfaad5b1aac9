#include "sim/cli/rates_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace reloadlab::sim {
namespace {

using Json = nlohmann::ordered_json;
using modelled::Rates;

struct Field {
  const char* name;
  int64_t Rates::*value;
};
constexpr Field fields[] = {
    {"memory_bytes_per_s", &Rates::memory_bytes_per_s},
    {"flop_per_s", &Rates::flop_per_s},
    {"host_copy_bytes_per_s", &Rates::host_copy_bytes_per_s},
    {"link_bytes_per_s", &Rates::link_bytes_per_s},
    {"kernel_start_ps", &Rates::kernel_start},
    {"collective_start_ps", &Rates::collective_start},
    {"beside_percent", &Rates::beside_percent},
    {"rested_percent", &Rates::rested_percent},
};

Result<Rates> rates_in(const Json& json, const std::string& file) {
  const auto bad = [&](const std::string& what) { return Status(Code::data, fmt::format("{}: {}", file, what)); };
  if (!json.is_object() || json.value("kind", "") != "rates" || !json.contains("rates"))
    return bad("expected what `reloadlab calibrate` writes");
  Rates rates;
  for (const Field& field : fields) {
    const auto found = json["rates"].find(field.name);
    if (found == json["rates"].end() || !found->is_number_integer() || found->get<int64_t>() < 0)
      return bad(fmt::format("rates: expected {}, a whole number that is not negative", field.name));
    rates.*field.value = found->get<int64_t>();
  }
  if (rates.beside_percent < 100)
    return bad("rates: beside_percent: beside a collective a kernel takes no less than alone, expected 100 or more");
  if (rates.rested_percent > 100)
    return bad("rates: rested_percent: behind a rest a kernel takes no more than in a row, expected 100 or less");
  return rates;
}

}  // namespace

std::string rates_json(const Gpus& gpus, const Calibration& measured) {
  Json json{{"reloadlab", 1}, {"kind", "rates"}, {"device", gpus.here.front().name}, {"gpus", measured.gpus}, {"driver", gpus.driver}};
  for (const Field& field : fields) json["rates"][field.name] = measured.rates.*field.value;
  json["of_the_table"] = measured.gpus > 1 ? Json::array() : Json{"link_bytes_per_s", "collective_start_ps", "beside_percent"};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Rates> read_rates(const std::string& name_or_file) {
  if (auto known = modelled::rates_of(name_or_file); known.ok()) return known;
  std::error_code error;
  std::ifstream in(name_or_file);
  if (!in || std::filesystem::is_directory(name_or_file, error))
    return Status(Code::usage, fmt::format("--rates: \"{}\" is neither h100, h200 nor free, nor a file that can be read", name_or_file));
  const Json json = Json::parse(in, nullptr, false);
  return rates_in(json, name_or_file);
}

}  // namespace reloadlab::sim
