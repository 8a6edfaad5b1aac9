#pragma once
// result.json: the run as data, for programs and for `show`. The schema is versioned ("reloadlab": 2; 1 had no costs); keys come in a fixed
// order, so that two runs of one seed give the same bytes but for the one object "run".
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "reference/base/status.h"
#include "sim/report/run_result.h"

namespace reloadlab::sim {

inline constexpr int kResultSchema = 2;

nlohmann::ordered_json result_to_json(const CaseResult& one);
Result<CaseResult> result_from_json(const nlohmann::ordered_json& json);

std::string result_json(const RunResult& result);
// Code::data when the text is no result of this schema.
Result<RunResult> parse_result(std::string_view text);
// A result.json, or a run's folder.
Result<RunResult> read_result(const std::filesystem::path& path);

}  // namespace reloadlab::sim
