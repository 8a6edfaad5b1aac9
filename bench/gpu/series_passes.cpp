#include "bench/gpu/series_passes.h"

#include <ATen/Functions.h>
#include <ATen/cuda/Sleep.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <fmt/format.h>

#include <cmath>

#include "bench/contest.h"

namespace reloadlab::bench {
namespace {

using c10::cuda::CUDAStreamGuard;
using c10::cuda::getCurrentCUDAStream;

int64_t asked_for() {
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(c10::cuda::current_device());
  return stats.requested_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)].current;
}

void order(const c10::cuda::CUDAStream& first, const c10::cuda::CUDAStream& then) {
  cudaEvent_t event = nullptr;
  C10_CUDA_CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  C10_CUDA_CHECK(cudaEventRecord(event, first));
  C10_CUDA_CHECK(cudaStreamWaitEvent(then, event));
  C10_CUDA_CHECK(cudaEventDestroy(event));
}

// All ranks begin with idle devices, at the same time.
void align(const Stage& stage) {
  c10::cuda::device_synchronize();
  stage.nccl.align(getCurrentCUDAStream());
}

void send(const Stage& stage, int64_t layer, const std::vector<at::Tensor>& windows) {
  const int owner = stage.owner(layer);
  stage.nccl.broadcast(owner == stage.seat.rank ? stage.layers.weight(layer) : windows[static_cast<size_t>(layer) % windows.size()], owner);
}

std::vector<Interval> all(const std::vector<Span>& spans, const Span& pass) {
  std::vector<Interval> times;
  for (const Span& span : spans) times.push_back(span.behind(pass));
  return times;
}

}  // namespace

PassTimes plain_pass(const Stage& stage, bool taken_apart) {
  Span pass;
  std::vector<Span> waits(taken_apart ? o_proj_layers : 0);
  align(stage);
  for (int64_t layer = 0; layer < o_proj_layers; ++layer) stage.layers.multiply(layer);
  pass.begin();
  for (int64_t layer = 0; layer < o_proj_layers; ++layer) {
    if (taken_apart) waits[static_cast<size_t>(layer)].begin();
    if (taken_apart) waits[static_cast<size_t>(layer)].end();
    stage.layers.multiply(layer);
  }
  pass.end();
  c10::cuda::device_synchronize();
  return {.pass = pass.milliseconds(), .waits = all(waits, pass), .broadcasts = {}};
}

PassTimes rested_pass(const Stage& stage, double rest) {
  int kilohertz = 0;
  C10_CUDA_CHECK(cudaDeviceGetAttribute(&kilohertz, cudaDevAttrClockRate, stage.seat.rank));
  Span pass;
  std::vector<Span> rests(o_proj_layers);
  align(stage);
  for (int64_t layer = 0; layer < o_proj_layers; ++layer) stage.layers.multiply(layer);
  pass.begin();
  for (int64_t layer = 0; layer < o_proj_layers; ++layer) {
    rests[static_cast<size_t>(layer)].begin();
    at::cuda::sleep(std::llround(rest * kilohertz));
    rests[static_cast<size_t>(layer)].end();
    stage.layers.multiply(layer);
  }
  pass.end();
  c10::cuda::device_synchronize();
  return {.pass = pass.milliseconds(), .waits = all(rests, pass), .broadcasts = {}};
}

double layer_time(const Stage& stage) {
  constexpr int64_t layers = 16;
  Span pass;
  align(stage);
  for (int again = 0; again < 2; ++again) {
    pass.begin();
    for (int64_t layer = 0; layer < layers; ++layer) stage.layers.multiply(layer);
    pass.end();
  }
  c10::cuda::device_synchronize();
  return pass.milliseconds() / static_cast<double>(layers);
}

PassTimes independent_pass(const Stage& stage, const std::vector<at::Tensor>& windows) {
  Span pass;
  align(stage);
  for (int64_t layer = 0; layer < o_proj_layers; ++layer) stage.layers.multiply(layer);
  order(getCurrentCUDAStream(), stage.nccl.stream());
  pass.begin();
  for (int64_t layer = 0; layer < o_proj_layers; ++layer) {
    send(stage, layer, windows);
    stage.layers.multiply(layer);
  }
  order(stage.nccl.stream(), getCurrentCUDAStream());
  pass.end();
  c10::cuda::device_synchronize();
  return {.pass = pass.milliseconds(), .waits = {}, .broadcasts = {}};
}

PassTimes released_pass(const Stage& stage, const std::vector<at::Tensor>& windows, int64_t ahead) {
  std::vector<Span> sent(o_proj_layers);
  Span pass;
  align(stage);
  for (const bool measured : {false, true}) {
    if (measured) pass.begin();
    for (int64_t layer = 0; layer < o_proj_layers; ++layer) {
      order(getCurrentCUDAStream(), stage.nccl.stream());
      {
        const CUDAStreamGuard guard(stage.nccl.stream());
        sent[static_cast<size_t>(layer)].begin();
        send(stage, (layer + ahead) % o_proj_layers, windows);
        sent[static_cast<size_t>(layer)].end();
      }
      stage.layers.multiply(layer);
    }
  }
  pass.end();
  c10::cuda::device_synchronize();
  return {.pass = pass.milliseconds(), .waits = {}, .broadcasts = all(sent, pass)};
}

PassTimes lone_broadcasts(const Stage& stage, const std::vector<at::Tensor>& windows, int64_t bytes) {
  std::vector<Span> sent(o_proj_layers);
  Span pass;
  align(stage);
  order(getCurrentCUDAStream(), stage.nccl.stream());
  const CUDAStreamGuard guard(stage.nccl.stream());
  pass.begin();
  const at::Tensor part = windows.front().view(at::kByte).flatten().narrow(0, 0, bytes);
  for (int64_t layer = 0; layer < o_proj_layers; ++layer) {
    sent[static_cast<size_t>(layer)].begin();
    stage.nccl.broadcast(part, stage.owner(layer));
    sent[static_cast<size_t>(layer)].end();
  }
  pass.end();
  c10::cuda::device_synchronize();
  return {.pass = pass.milliseconds(), .waits = {}, .broadcasts = all(sent, pass)};
}

RingPasses::RingPasses(const Stage& stage, int64_t prefetch) : stage_(stage), prefetch_(prefetch) {
  const int64_t before = asked_for();
  series_ = make_series(*shared_series::parse_policy("hardened"),
                        {.name = fmt::format("o_proj, {} ahead", prefetch),
                         .group = stage.group.group(),
                         .device = c10::Device(at::kCUDA, static_cast<c10::DeviceIndex>(stage.seat.rank)),
                         .prefetch = prefetch});
  for (int64_t layer = 0; layer < o_proj_layers; ++layer) {
    members_.push_back(std::make_shared<model::Layer>(model::LayerSpec{.name = fmt::format("layer{}", layer)}, "Linear"));
    members_.back()->assign("weight",
                            std::make_shared<model::Parameter>(model::Parameter{.tensor = at::empty_like(stage.layers.weight(layer))}));
    check(series_->register_layer(members_.back(), {layer}));
    if (stage.owner(layer) == stage.seat.rank) members_.back()->tensor("weight")->tensor.copy_(stage.layers.weight(layer));
  }
  check(series_->finish_loading());
  once(nullptr);
  c10::cuda::device_synchronize();
  bytes_ = asked_for() - before;
}

void RingPasses::once(std::vector<Span>* waits) {
  for (int64_t layer = 0; layer < o_proj_layers; ++layer) {
    check(series_->reach({layer}));
    if (waits) (*waits)[static_cast<size_t>(layer)].begin();
    check(model::around_forward(*members_[static_cast<size_t>(layer)], [&] {
      if (waits) (*waits)[static_cast<size_t>(layer)].end();
      stage_.layers.multiply(members_[static_cast<size_t>(layer)]->tensor("weight")->tensor);
      return Status();
    }));
  }
}

PassTimes RingPasses::pass(bool taken_apart) {
  Span pass;
  std::vector<Span> waits(taken_apart ? o_proj_layers : 0);
  stage_.group.take_times(taken_apart);
  align(stage_);
  once(nullptr);
  pass.begin();
  once(taken_apart ? &waits : nullptr);
  pass.end();
  c10::cuda::device_synchronize();
  stage_.group.take_times(false);
  return {.pass = pass.milliseconds(), .waits = all(waits, pass), .broadcasts = stage_.group.times(pass.begin_event())};
}

int64_t RingPasses::wrong() {
  int64_t wrong = 0;
  for (int64_t layer = 0; layer < o_proj_layers; ++layer) {
    check(series_->reach({layer}));
    const model::LayerPtr& member = members_[static_cast<size_t>(layer)];
    check(model::around_forward(*member, [&] {
      const auto bytes = [](const at::Tensor& tensor) { return tensor.view(at::kByte); };
      wrong += at::equal(bytes(member->tensor("weight")->tensor), bytes(stage_.layers.weight(layer))) ? 0 : 1;
      return Status();
    }));
  }
  return wrong;
}

int64_t RingPasses::bytes_meant() const {
  int64_t owned = 0;
  for (int64_t layer = 0; layer < o_proj_layers; ++layer) owned += stage_.owner(layer) == stage_.seat.rank ? 1 : 0;
  return (owned + prefetch_ + 1) * stage_.layers.bytes();
}

}  // namespace reloadlab::bench
