#include "tests/reference/layerwise/rig.h"

#include <ATen/Context.h>
#include <ATen/ops/arange.h>
#include <fmt/format.h>

#include "reference/base/prng.h"
#include "reference/model/guard.h"

namespace reloadlab::layerwise {
namespace {

std::string_view name_of(model::EngineEventKind kind) {
  constexpr std::string_view names[] = {"armed",    "counted", "dropped", "completed",  "processed", "copied_back",
                                        "disarmed", "missing", "excess",  "unexpected", "warning"};
  return names[static_cast<size_t>(kind)];
}

std::string describe(const model::Slot& slot, bool parameter) {
  std::string text =
      fmt::format("{} {} {}", parameter ? "parameter" : "buffer", slot.persistent, slot.handle ? slot.handle->tensor_class : "");
  if (!slot.handle) return text;
  for (const auto& [name, value] : slot.handle->attributes) text += " " + name;
  return text + " " + c10::toString(slot.handle->tensor.scalar_type());
}

Picture::Entry entry_of(const model::Layer& layer, const model::Slot& slot, bool parameter) {
  Picture::Entry entry{.path = layer.path() + "." + slot.name, .kept = describe(slot, parameter)};
  if (!slot.handle) return entry;
  const at::Tensor& tensor = slot.handle->tensor;
  entry.storage = tensor.storage().unsafeGetStorageImpl();
  entry.sizes = tensor.sizes().vec();
  entry.strides = tensor.strides().vec();
  if (tensor.is_meta()) return entry;
  const at::Tensor dense = tensor.contiguous();
  const auto* bytes = static_cast<const std::byte*>(dense.const_data_ptr());
  entry.bytes.assign(bytes, bytes + dense.nbytes());
  return entry;
}

::testing::AssertionResult compare(const Picture& a, const Picture& b, bool in_place) {
  if (a.names() != b.names())
    return ::testing::AssertionFailure() << "names: " << ::testing::PrintToString(a.names()) << " and "
                                         << ::testing::PrintToString(b.names());
  for (size_t i = 0; i < a.entries.size(); ++i) {
    const Picture::Entry &one = a.entries[i], &other = b.entries[i];
    if (one.bytes != other.bytes) return ::testing::AssertionFailure() << one.path << " holds other bytes";
    if (!in_place) continue;
    if (one.storage != other.storage) return ::testing::AssertionFailure() << one.path << " has moved";
    if (one.sizes != other.sizes || one.strides != other.strides) return ::testing::AssertionFailure() << one.path << " has another layout";
    if (one.kept != other.kept) return ::testing::AssertionFailure() << one.path << " is now " << other.kept << ", was " << one.kept;
  }
  return ::testing::AssertionSuccess();
}

// Fresh floating-point memory is NaN, fresh integers are their maximum, so that what was never written shows.
void poison_fresh_memory() {
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  at::globalContext().setDeterministicFillUninitializedMemory(true);
}

}  // namespace

void Heard::on(const model::EngineEvent& event) {
  std::string name(event.layer);
  if (!event.slot.empty()) name += fmt::format(".{}", event.slot);
  all.push_back(fmt::format("{} {} {}", name_of(event.kind), name, event.numel));
}

int Heard::count(const std::string& text) const {
  return static_cast<int>(std::count_if(all.begin(), all.end(), [&](const std::string& event) { return event.starts_with(text); }));
}

std::vector<std::string> Picture::names() const {
  std::vector<std::string> all;
  for (const Entry& entry : entries) all.push_back(entry.path);
  return all;
}

Picture picture(const model::Model& model) {
  Picture picture;
  for (const model::LayerPtr& layer : model.layers()) {
    for (const model::Slot& slot : layer->parameters) picture.entries.push_back(entry_of(*layer, slot, true));
    for (const model::Slot& slot : layer->buffers) picture.entries.push_back(entry_of(*layer, slot, false));
    for (const auto& [name, value] : layer->extra.host) {
      Picture::Entry entry{.path = fmt::format("{}.extra:{}", layer->path(), name)};
      const auto* bytes = reinterpret_cast<const std::byte*>(&value);
      entry.bytes.assign(bytes, bytes + sizeof(value));
      picture.entries.push_back(std::move(entry));
    }
  }
  return picture;
}

::testing::AssertionResult same_content(const Picture& a, const Picture& b) { return compare(a, b, false); }
::testing::AssertionResult same_in_place(const Picture& a, const Picture& b) { return compare(a, b, true); }

at::Tensor weight(const Delivery& delivery, int number) {
  const int64_t first = static_cast<int64_t>(hash_name(delivery.name) % 1000) * 100 + number * 10'000'000 / 8;
  at::Tensor values = at::arange(first, first + numel(delivery.shape), at::kLong);
  if (delivery.dtype != DType::i64 && delivery.dtype != DType::i32) values = values.to(at::kDouble).div(1024.0);
  return values.to(model::to_torch(delivery.dtype)).reshape(delivery.shape);
}

Picture cold(const ModelSpec& spec, int number, model::TensorParallel tp) {
  std::unique_ptr<model::Model> loaded = model::cold(spec, tp, [&](const Delivery& delivery) { return weight(delivery, number); });
  EXPECT_OK(model::process_model_after_loading(*loaded));
  return picture(*loaded);
}

Rig::Rig(const ModelSpec& the_spec, const std::string& policy, LayerwiseOptions options, model::TensorParallel tp)
    : spec(the_spec), deliveries(model::deliveries_of(the_spec)) {
  poison_fresh_memory();
  const Status checked = model::check_model(spec, tp.size);
  EXPECT_TRUE(checked.ok()) << checked.message();
  model = model::build_model(spec, tp);
  Result<LayerwisePolicy> parsed = parse_policy(policy);
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  options.observer = &heard;
  engine = std::make_unique<LayerwiseReload>(*parsed, options);
}

void Rig::start() {
  EXPECT_OK(engine->record(*model));
  EXPECT_OK(send_all(1));
  EXPECT_OK(engine->first_load_done(*model));
  EXPECT_OK(model::process_model_after_loading(*model));
}

Status Rig::send(const std::string& delivery, const at::Tensor& loaded) {
  for (const Delivery& known : deliveries) {
    if (known.name != delivery) continue;
    model::ParameterPtr destination = handle(known.layer + "." + known.slot);
    if (!destination) return Status(Code::failed, "no tensor " + known.layer + "." + known.slot);
    return model::load_one(*model, known, loaded);
  }
  return Status(Code::usage, "no delivery " + delivery);
}

Status Rig::send(const std::string& delivery, int number) {
  for (const Delivery& known : deliveries)
    if (known.name == delivery) return send(delivery, weight(known, number));
  return Status(Code::usage, "no delivery " + delivery);
}

Status Rig::send_all(int number, const std::set<std::string>& except) {
  for (const Delivery& delivery : deliveries)
    if (!except.contains(delivery.name)) RELOADLAB_TRY(send(delivery.name, number));
  return {};
}

Status Rig::reload(int number, const std::set<std::string>& except) {
  RELOADLAB_TRY(prepare());
  RELOADLAB_TRY(send_all(number, except));
  return finish();
}

LayerSpec linear(const std::string& name, int64_t in, int64_t out, Values more) {
  more.emplace("in", in);
  more.emplace("out", out);
  return layer_of("column_parallel_linear", std::move(more), name);
}

ModelSpec two_linears() { return model_of({linear("a", 4, 6, {{"bias", true}}), linear("b")}); }

}  // namespace reloadlab::layerwise
