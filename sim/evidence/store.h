#pragma once
// Evidence as JSON, for files (text, bytes as base64) and for the pipe from an isolated worker (CBOR, bytes as they are):
//
//   {"evidence": 1, "blobs": ["…", …], "run": {"case": {…}, "executions": […], …}}
//
// Each blob is stored once; censuses name it by index. Reading trusts nothing: depth, types, ranges, unknown keys, and what laws
// rely on (validate.h) are checked, and the answer to anything else is Code::data with the path of the first offence.
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>

#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

inline constexpr int kEvidenceVersion = 4;

std::string to_text(const Evidence& evidence);
std::vector<uint8_t> to_cbor(const Evidence& evidence);
Result<Evidence> evidence_from_text(std::string_view text);
Result<Evidence> evidence_from_cbor(std::span<const std::byte> bytes);

nlohmann::json to_json(const Case& the_case);
Result<Case> case_from_json(const nlohmann::json& json);

// trace.jsonl: of an execution a line that names its steps and series; for each rank a line that says whose lines follow (case, candidate,
// execution, rank), then one event a line, what each step came to and held, and each tensor's place where it is new (ledger.h); where there
// is a timeline, a line that says so, then one step of a stream a line. The cases of a run share one file; `id` says which case.
void append_trace(std::string& out, const Evidence& evidence, const Execution& execution, std::string_view id);

}  // namespace reloadlab::sim
