#pragma once
// The bodies of frames.
#include <string>
#include <string_view>

#include "sim/campaign/attempt.h"

namespace reloadlab::sim {

struct JobMessage {
  Job job;
  bool judge = false;        // the worker judges; otherwise it sends evidence
  bool timed = false;        // times are taken
  std::optional<Seat> seat;  // the worker plays this rank and no other
};
std::string job_text(const JobMessage& message);
Result<JobMessage> parse_job(std::string_view text);

// Where a worker is: what a crash or a hang is blamed on. Before the first step of a job: construction.
struct StepMessage {
  std::string execution = "warm";
  int rank = 0;
  int step = -1;
};
std::string step_message_text(const StepMessage& message);
Result<StepMessage> parse_step(std::string_view text);

Result<Evidence> parse_evidence(std::string_view cbor);

std::string answer_text(const Answer& answer);
Result<Answer> parse_answer(std::string_view text);

std::string status_text(const Status& status);
Status parse_status(std::string_view text);

}  // namespace reloadlab::sim
