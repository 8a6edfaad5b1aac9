#include "sim/campaign/messages.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sim/evidence/enums.h"
#include "sim/evidence/store.h"
#include "sim/evidence/text.h"
#include "sim/report/json.h"

namespace reloadlab::sim {
namespace {

using Json = nlohmann::ordered_json;

std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// Runs `read` on the parsed text; whatever the library throws means that the text is no such message.
template <class Read>
auto parsed(std::string_view text, std::string_view what, Read read) -> decltype(read(std::declval<const Json&>())) {
  try {
    return read(Json::parse(text));
  } catch (const std::exception& error) {
    return Status(Code::data, fmt::format("no {}: {}", what, error.what()));
  }
}

Json seat_json(const Seat& seat) {
  return {{"rank", seat.rank}, {"ranks", seat.ranks}, {"device", seat.device},    {"host", seat.host},
          {"port", seat.port}, {"round", seat.round}, {"patience", seat.patience}};
}

Seat seat_from(const Json& json) {
  return {.rank = json.at("rank").get<int>(),
          .ranks = json.at("ranks").get<int>(),
          .device = json.at("device").get<int>(),
          .host = json.at("host").get<std::string>(),
          .port = json.at("port").get<int>(),
          .round = json.at("round").get<int64_t>(),
          .patience = json.at("patience").get<double>()};
}

}  // namespace

std::string job_text(const JobMessage& message) {
  Json json{{"candidate", message.job.candidate},
            {"prove", message.job.prove_determinism},
            {"describe", message.job.describe},
            {"judge", message.judge},
            {"timed", message.timed}};
  json["case"] = Json(to_json(message.job.the_case));
  if (message.seat) json["seat"] = seat_json(*message.seat);
  return dumped(json);
}

Result<JobMessage> parse_job(std::string_view text) {
  return parsed(text, "job", [](const Json& json) -> Result<JobMessage> {
    RELOADLAB_ASSIGN(Case the_case, case_from_json(nlohmann::json(json.at("case"))));
    JobMessage message{
        {std::move(the_case), json.at("candidate").get<std::string>(), json.at("prove").get<bool>(), json.at("describe").get<bool>()},
        json.at("judge").get<bool>(),
        json.at("timed").get<bool>()};
    if (json.contains("seat")) message.seat = seat_from(json.at("seat"));
    return message;
  });
}

std::string step_message_text(const StepMessage& message) {
  return dumped({{"execution", message.execution}, {"rank", message.rank}, {"step", message.step}});
}

Result<StepMessage> parse_step(std::string_view text) {
  return parsed(text, "step", [](const Json& json) -> Result<StepMessage> {
    return StepMessage{json.at("execution").get<std::string>(), json.at("rank").get<int>(), json.at("step").get<int>()};
  });
}

Result<Evidence> parse_evidence(std::string_view cbor) { return evidence_from_cbor(std::as_bytes(std::span(cbor.data(), cbor.size()))); }

std::string answer_text(const Answer& answer) {
  Json json{{"result", result_to_json(answer.result)}, {"trace", answer.trace}, {"print", answer.print}, {"behaviour", Json::array()}};
  for (const BehaviourLine& line : answer.behaviour) json["behaviour"].push_back({line.aspect, line.place, line.says});
  return dumped(json);
}

Result<Answer> parse_answer(std::string_view text) {
  return parsed(text, "answer", [](const Json& json) -> Result<Answer> {
    RELOADLAB_ASSIGN(CaseResult result, result_from_json(json.at("result")));
    Answer answer{.result = std::move(result), .trace = json.at("trace").get<std::string>(), .print = json.at("print").get<uint64_t>()};
    for (const Json& line : json.at("behaviour"))
      answer.behaviour.push_back({line.at(0).get<std::string>(), line.at(1).get<std::string>(), line.at(2).get<std::string>()});
    return answer;
  });
}

std::string status_text(const Status& status) {
  return dumped({{"code", std::string(code_name(status.code()))}, {"message", valid_utf8(status.message())}});
}

Status parse_status(std::string_view text) {
  return parsed(text, "status", [](const Json& json) {
    const auto code = archive::enum_from_name<Code>(json.at("code").get<std::string>());
    return Status(code && *code != Code::ok ? *code : Code::failed, json.at("message").get<std::string>());
  });
}

}  // namespace reloadlab::sim
