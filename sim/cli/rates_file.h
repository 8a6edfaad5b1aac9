#pragma once
// What things take on devices, in a file: as `reloadlab calibrate` measured it.
#include <string>

#include "reference/base/status.h"
#include "sim/world/gpus.h"
#include "sim/world/modelled/rates.h"
#include "sim/world/module.h"

namespace reloadlab::sim {

std::string rates_json(const Gpus& gpus, const Calibration& measured);
// A device of the table by its name, or a file. Code::usage where it is neither, Code::data for a file that holds no rates.
Result<modelled::Rates> read_rates(const std::string& name_or_file);

}  // namespace reloadlab::sim
