#include "sim/replay/census.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "reference/model/post_load.h"
#include "sim/evidence/fingerprint.h"
#include "sim/world/account.h"

namespace reloadlab::sim {
namespace {

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

std::string describe_value(const Value& value) {
  return std::visit(Overloaded{[](bool v) { return std::string(v ? "true" : "false"); }, [](int64_t v) { return std::to_string(v); },
                               [](double v) { return fmt::format("{}", v); }, [](const std::string& v) { return v; },
                               [](const std::vector<int64_t>& v) { return fmt::format("[{}]", fmt::join(v, ",")); }},
                    value);
}

// The model's flags, what hears of unexpected names, and which layers are not marked as processed that have something to process.
std::string describe_flags(const model::Model& model) {
  std::vector<std::string> words;
  for (const auto& [name, on] : model.flags) words.push_back(fmt::format("{}={}", name, on ? 1 : 0));
  if (model.on_unexpected_name) words.emplace_back("on_unexpected_name");
  for (const model::LayerPtr& layer : model.layers())
    if (layer->quant_method && !layer->post_load_done) words.push_back("unprocessed:" + layer->path());
  return fmt::format("{}", fmt::join(words, " "));
}

std::optional<DType> named(at::ScalarType type) {
  for (const DType dtype : all_dtypes())
    if (model::to_torch(dtype) == type) return dtype;
  return std::nullopt;
}

}  // namespace

// Classes of tensors in Python may have sizes that are symbols, and a device without memory there.
bool has_plain_memory(const at::Tensor& tensor) {
  if (!tensor.has_storage() || tensor.layout() != at::kStrided || tensor.is_nested() || tensor.is_quantized()) return false;
  if (tensor.unsafeGetTensorImpl()->has_symbolic_sizes_strides()) return false;
  return tensor.is_meta() || tensor.numel() == 0 || tensor.storage().unsafeGetStorageImpl()->_mutable_data_ptr_no_checks().get();
}

at::Tensor nameable(const at::Tensor& tensor) {
  return named(tensor.scalar_type()) ? tensor : tensor.resolve_conj().contiguous().view(at::kByte);
}

void describe_layout(const at::Tensor& tensor, CensusEntry& entry) {
  if (!has_plain_memory(tensor)) {
    entry.tensor_class += fmt::format(" of {}, {}", c10::toString(tensor.scalar_type()), c10::toString(tensor.layout()));
    return;
  }
  entry.shape.assign(tensor.sizes().begin(), tensor.sizes().end());
  entry.strides.assign(tensor.strides().begin(), tensor.strides().end());
  entry.offset = tensor.storage_offset();
  const std::optional<DType> dtype = named(tensor.scalar_type());
  entry.dtype = dtype.value_or(DType::u8);
  entry.on_meta = tensor.is_meta();
  if (dtype) return;
  const auto size = static_cast<int64_t>(tensor.itemsize());
  entry.tensor_class += fmt::format(" of {}", c10::toString(tensor.scalar_type()));
  entry.shape.push_back(size);
  for (int64_t& stride : entry.strides) stride *= size;
  entry.strides.push_back(1);
  entry.offset *= size;
}

std::string describe_values(const Values& values) {
  std::string text;
  for (const auto& [name, value] : values) text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, describe_value(value));
  return text;
}

std::string describe_loader(const model::LoaderPtr& loader) {
  if (!loader) return "-";
  if (loader->wrapped) return loader->name + "(wraps " + describe_loader(loader->wrapped) + ")";
  if (!loader->is_method) return loader->name;
  return loader->name + (loader->self.expired() ? "(unbound)" : "(bound)");
}

BlobPtr BlobStore::keep(const at::Tensor& tensor) {
  const at::Tensor here = tensor.cpu(), dense = here.contiguous();
  std::span<const std::byte> bytes(static_cast<const std::byte*>(dense.const_data_ptr()), dense.nbytes());
  const Fingerprint print = fingerprint(bytes);
  BlobPtr& kept = blobs_[print];
  if (!kept || kept->bytes.size() != bytes.size()) kept = std::make_shared<const Blob>(Blob{print, Bytes(bytes.begin(), bytes.end())});
  return kept;
}

int64_t CensusTaker::serial_of(const model::ParameterPtr& handle) {
  Seen& seen = seen_[handle.get()];
  if (seen.handle.expired()) seen = {handle, next_serial_++};
  return seen.serial;
}

void CensusTaker::describe(const at::Tensor& tensor, CensusEntry& entry) {
  if (!tensor.defined()) return;
  describe_layout(tensor, entry);
  if (entry.on_meta || !has_plain_memory(tensor)) return;
  entry.storage = allocation_serial(tensor.storage());
  if (bytes_) entry.content = blobs_.keep(nameable(tensor));
}

void CensusTaker::add_slots(const model::Layer& layer, const model::Slots& slots, bool parameters, Census& census) {
  using Kind = CensusEntry::Kind;
  for (const model::Slot& slot : slots) {
    CensusEntry& entry = census.entries.emplace_back();
    entry.path = layer.path() + "." + slot.name;
    entry.layer = layer.path();
    entry.persistent = slot.persistent;
    entry.loader = "-";
    if (!slot.handle) {
      entry.kind = parameters ? Kind::empty_parameter : Kind::empty_buffer;
      continue;
    }
    entry.kind = parameters ? Kind::parameter : Kind::buffer;
    entry.handle = serial_of(slot.handle);
    entry.tensor_class = slot.handle->tensor_class;
    entry.loader = describe_loader(slot.handle->loader);
    entry.attributes = describe_values(slot.handle->attributes);
    describe(slot.handle->tensor, entry);
  }
}

void CensusTaker::add_extra(const model::Layer& layer, Census& census) {
  for (const auto& [name, tensor] : layer.extra.tensors) {
    CensusEntry& entry = census.entries.emplace_back();
    entry.path = layer.path() + ".extra:" + name;
    entry.layer = layer.path();
    entry.kind = CensusEntry::Kind::extra_tensor;
    entry.loader = "-";
    describe(tensor, entry);
  }
  for (const auto& [name, value] : layer.extra.host) {
    CensusEntry& entry = census.entries.emplace_back();
    entry.path = layer.path() + ".extra:" + name;
    entry.layer = layer.path();
    entry.kind = CensusEntry::Kind::extra_host;
    entry.loader = "-";
    entry.host = value;
  }
}

void CensusTaker::add_derived(const model::Layer& layer, Census& census) {
  if (!bytes_) return;
  for (const model::Derived& derived : model::derive_again(layer)) {
    Recomputed& again = census.derived.emplace_back();
    again.path = fmt::format("{}.{}{}", layer.path(), derived.extra ? "extra:" : "", derived.name);
    again.sources = derived.sources;
    again.host = derived.host;
    if (derived.tensor.defined() && !derived.tensor.is_meta()) again.content = blobs_.keep(derived.tensor);
  }
}

// They are no layer's.
void CensusTaker::add_tables(const model::ProcessTables& tables, Census& census) {
  for (const auto& [name, tensor] : tables) {
    CensusEntry& entry = census.entries.emplace_back();
    entry.path = "process:" + name;
    entry.kind = CensusEntry::Kind::extra_tensor;
    entry.loader = "-";
    describe(tensor, entry);
  }
}

Census CensusTaker::take(const model::Model& model, const model::ProcessTables& tables, int step, bool bytes) {
  bytes_ = bytes;
  Census census;
  census.step = step;
  census.flags = describe_flags(model);
  for (const model::LayerPtr& layer : model.layers()) {
    add_slots(*layer, layer->parameters, true, census);
    add_slots(*layer, layer->buffers, false, census);
    if (!layer->extra.tensors.empty() || !layer->extra.host.empty()) add_extra(*layer, census);
    if (layer->quant_method || layer->own_derived) add_derived(*layer, census);
  }
  add_tables(tables, census);
  return census;
}

}  // namespace reloadlab::sim
