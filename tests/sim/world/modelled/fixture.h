#pragma once
// A machine and short words for what programs do on it.
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <gtest/gtest.h>

#include "sim/world/modelled/device.h"
#include "sim/world/modelled/machine.h"

namespace reloadlab::sim::modelled {

constexpr auto modelled_kind = c10::DeviceType::PrivateUse1;

inline at::TensorOptions on(int rank) { return at::TensorOptions().device(modelled_device(rank)); }
inline c10::Stream side_stream(int rank) { return c10::impl::VirtualGuardImpl(modelled_kind).getNewStream(modelled_device(rank)); }
inline c10::Stream here(int rank) { return c10::impl::VirtualGuardImpl(modelled_kind).getStream(modelled_device(rank)); }

// `to` goes on after what `from` holds now.
inline void order(const c10::Stream& from, const c10::Stream& to) {
  c10::Event event(modelled_kind);
  event.record(from);
  event.block(to);
}

inline std::vector<float> values(const at::Tensor& tensor) {
  at::Tensor host = tensor.to(at::kCPU).to(at::kFloat).contiguous().view(-1);
  return {host.data_ptr<float>(), host.data_ptr<float>() + host.numel()};
}

inline std::vector<float> repeated(float value, size_t count) { return std::vector<float>(count, value); }

// The steps of a run as text, for runs that are to be equal.
inline std::string trace(const Machine& machine) {
  std::string text;
  for (const Step& step : machine.steps())
    text += fmt::format("{} {} {}..{}\n", machine.actor_name(step.actor), step.name, step.start, step.end);
  return text;
}

// "aten::mm || broadcast #1 of ring", one for each race.
inline std::vector<std::string> raced(const Machine& machine) {
  std::vector<std::string> pairs;
  for (const Race& race : machine.races().races()) pairs.push_back(race.first.operation + " || " + race.second.operation);
  return pairs;
}

inline std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return "nothing thrown";
}

inline void expect_clean(const RunReport& report) {
  EXPECT_EQ(report.stopped, "");
  for (const std::string& line : report.waits) ADD_FAILURE() << line;
  for (const std::exception_ptr& failure : report.failures) {
    if (!failure) continue;
    EXPECT_NO_THROW(std::rethrow_exception(failure));
  }
}

}  // namespace reloadlab::sim::modelled
