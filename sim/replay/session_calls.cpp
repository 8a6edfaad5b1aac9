// What a candidate's code runs under, and what becomes of what it throws.
#include <fmt/format.h>

#include <exception>

#include "reference/base/check.h"
#include "reference/model/device.h"
#include "sim/evidence/text.h"
#include "sim/replay/session.h"

namespace reloadlab::sim {

// Runs a candidate's (or the substrate's) code under every tap. An exception that comes out of it is noted as a crash.
Status RankSession::supervised(c10::function_ref<Status()> fn) {
  model::DeviceScope device(stage_.world.device(rank_));
  model::DTypeScope dtype(default_dtype_.value_or(DType::f32));
  const PoolScope pool(filling_ ? pool_ : nullptr);
  model::ProcessScope process(process_tables_);
  model::TapGuard tap(model::Tap::harness, watch_);
  model::PostLoadScope post_load(watch_);
  model::LoaderScope loader(watch_);
  try {
    Status status = fn();
    const std::string touched = stage_.world.touched();
    if (touched.empty()) return status;
    outcome_.crashed = true;
    return Status(Code::failed,
                  fmt::format("an access to where {} came: memory of another process that is mapped no more (SIGSEGV)", touched));
  } catch (const Defect&) {
    throw;
  } catch (const std::exception& error) {
    if (const Devices* devices = stage_.world.devices(); devices && devices->gave_up()) throw;
    outcome_.crashed = true;
    return Status(Code::failed, first_line(error.what()));
  } catch (...) {
    if (stage_.world.devices()) throw;  // hosts that are stopped are unwound so
    outcome_.crashed = true;
    return Status(Code::failed, "an exception that is no std::exception");
  }
}

// An exception instead of an answer is the step's outcome, like any other that comes out of a candidate.
bool RankSession::says_unusable() {
  bool unusable = false;
  const Status answered = !reloader_ ? Status() : supervised([&] {
    unusable = reloader_->unusable();
    return Status();
  });
  if (!answered.ok()) outcome_.status = answered;
  return unusable;
}

}  // namespace reloadlab::sim
