#include "sim/replay/graphs.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "reference/base/prng.h"
#include "reference/model/guard.h"
#include "reference/model/kind.h"
#include "sim/evidence/checksum.h"

namespace reloadlab::sim {
namespace {

constexpr uint64_t graphs_input_seed = 1;  // the same in every execution, so that outputs can be compared

template <class Fn>
void each_tensor(const model::Model& model, Fn&& fn) {
  for (const model::LayerPtr& layer : model.layers())
    model::for_each_tensor(*layer, [&](const model::Slot& slot, bool) {
      const at::Tensor& tensor = slot.handle->tensor;
      if (tensor.defined() && !tensor.is_meta() && tensor.numel() > 0) fn(layer->path() + "." + slot.name, tensor);
    });
}

bool may_be_an_index(const at::Tensor& tensor) { return tensor.scalar_type() == at::kInt || tensor.scalar_type() == at::kLong; }

at::ScalarType integer_of(int64_t width) {
  switch (width) {
    case 1:
      return at::kChar;
    case 2:
      return at::kShort;
    case 4:
      return at::kInt;
    default:
      return at::kLong;
  }
}

at::Tensor as_integers(const at::Tensor& tensor) {
  return tensor.contiguous().view(-1).view(integer_of(tensor.element_size())).to(at::kLong);
}

// So many tokens: the example's, over and over.
at::Tensor tokens(const at::Tensor& example, int64_t size) {
  return example.index_select(0, at::arange(size).remainder(example.size(0))).contiguous();
}

// Every byte of what layers hold, once however many tensors share it.
void turn_over(const model::Model& model) {
  std::vector<c10::Storage> turned;
  each_tensor(model, [&](const std::string&, const at::Tensor& tensor) {
    const c10::Storage& storage = tensor.storage();
    const auto is_this = [&](const c10::Storage& each) { return each.data() == storage.data(); };
    if (may_be_an_index(tensor) || std::ranges::any_of(turned, is_this)) return;
    turned.push_back(storage);
    at::Tensor bytes = at::empty({0}, tensor.options().dtype(at::kByte));
    bytes.set_(storage, 0, {static_cast<int64_t>(storage.nbytes())}, {1}).bitwise_not_();
  });
}

}  // namespace

// The harness makes these calls, and no candidate: what comes out of them is why the step fails, and nobody's crash.
Status record_into(DeviceGraph& graph, const std::function<Status()>& issue) {
  RELOADLAB_TRY(model::guarded([&] { return graph.capture_begin(), Status(); }));
  Status status = model::guarded(issue);
  Status ended = model::guarded([&] { return graph.capture_end(), Status(); });
  return status.ok() ? ended : status;
}

// As engines do before they capture: some layers make tensors in their first forward, and libraries make their handles.
GraphPlayer::One GraphPlayer::warmed_up(int64_t size) const {
  One one{.size = size};
  for (const model::LayerPtr& layer : model_.layers()) {
    if (!layer->kind || !layer->kind->is_capturable(layer->spec)) continue;
    const at::Tensor example = layer->kind->example_input(layer->spec, model_.tp, graphs_input_seed ^ hash_name(layer->path()));
    one.outputs.push_back({layer, tokens(example, size).to(device_), {}});
    TORCH_CHECK(model::run_layer(*layer, one.outputs.back().input).ok(), layer->path(), ": its forward fails");
  }
  return one;
}

at::Tensor GraphPlayer::factors(int64_t count) {
  if (!factors_.defined() || factors_.numel() < count)
    factors_ = at::arange(count).mul_(checksum_scale).add_(checksum_shift).bitwise_or_(1).to(device_);
  return factors_.narrow(0, 0, count);
}

Status GraphPlayer::record(One& one, const Graphs& graphs) {
  one.graph = world_.make_graph({.shares_pool_with = graphs.shared_pool && !graphs_.empty() ? graphs_.front().graph.get() : nullptr,
                                 .global_mode = graphs.mode == Graphs::Mode::global});
  TORCH_CHECK(one.graph, "this world has no graphs");
  return record_into(*one.graph, [&]() -> Status {
    for (Output& output : one.outputs) {
      RELOADLAB_ASSIGN(output.value, model::run_layer(*output.layer, output.input));
    }
    each_tensor(model_, [&](const std::string& path, const at::Tensor& tensor) {
      one.sums.push_back({path, as_integers(tensor).mul(factors(tensor.numel())).sum(0, /*keepdim=*/true), !may_be_an_index(tensor)});
    });
    return {};
  });
}

// What a replay does not write is not what a replay before it has left.
void GraphPlayer::run(One& one) {
  for (Output& output : one.outputs)
    if (output.value.is_floating_point()) output.value.fill_(std::numeric_limits<double>::quiet_NaN());
  for (Sum& sum : one.sums) sum.value.fill_(0);
  one.graph->replay();
}

Status GraphPlayer::prove(One& one) const {
  const auto sums = [&] {
    run(one);
    std::vector<int64_t> values;
    for (const Sum& sum : one.sums) values.push_back(sum.value.cpu().item<int64_t>());
    return values;
  };
  const std::vector<int64_t> before = sums();
  turn_over(model_);
  const std::vector<int64_t> turned = sums();
  turn_over(model_);
  for (size_t i = 0; i < before.size(); ++i)
    if (one.sums[i].proven && before[i] == turned[i])
      return {Code::failed, fmt::format("the graph of {} tokens does not read {}", one.size, one.sums[i].path)};
  return {};
}

Status GraphPlayer::capture(const Graphs& graphs) {
  graphs_.clear();
  return model::guarded([&]() -> Status {
    int64_t largest = 0;
    std::vector<One> made;
    for (const int64_t size : graphs.sizes) made.push_back(warmed_up(size));
    each_tensor(model_, [&](const std::string&, const at::Tensor& tensor) { largest = std::max(largest, tensor.numel()); });
    factors(largest);
    for (One& one : made) {
      RELOADLAB_TRY(record(one, graphs));
      graphs_.push_back(std::move(one));
    }
    for (One& one : graphs_) RELOADLAB_TRY(prove(one));
    return {};
  });
}

Status GraphPlayer::replay(const Graphs& graphs, int step, std::vector<RankRun::GraphRead>& reads) {
  if (graphs_.empty()) return {Code::failed, "there is no graph: its capture failed"};
  return model::guarded([&]() -> Status {
    const auto play = [&](One& one) {
      run(one);
      for (const Sum& sum : one.sums)
        reads.push_back({.step = step, .size = one.size, .path = sum.path, .checksum = sum.value.cpu().item<int64_t>()});
      for (const Output& output : one.outputs)
        reads.push_back({.step = step, .size = one.size, .path = output.layer->path(), .output = blobs_.keep(output.value)});
    };
    if (graphs.sizes.empty())
      for (One& one : graphs_) play(one);
    for (const int64_t size : graphs.sizes) play(*std::ranges::find(graphs_, size, &One::size));
    return {};
  });
}

}  // namespace reloadlab::sim
