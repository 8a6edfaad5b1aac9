// Checkpoints that lie in safetensors files.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <set>

#include "reference/model/kind.h"
#include "sim/checkpoint/checkpoint.h"
#include "sim/checkpoint/fresh.h"
#include "sim/checkpoint/json_tree.h"
#include "sim/checkpoint/names.h"
#include "sim/checkpoint/safetensors_source.h"

namespace reloadlab::sim {
namespace {

using Entry = SafetensorsSource::Entry;

Status error_at(const Entry& entry, std::string_view what) { return Origin{entry.file->path()}.error(entry.tensor->begin, what); }

// A bool that is neither 0 nor 1 is undefined behaviour for whoever reads it.
Status check_bools(const Entry& entry, std::span<const std::byte> bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] > std::byte{1}) {
      return Origin{entry.file->path()}.error(
          entry.tensor->begin + i, fmt::format("tensor {} holds {}, expected bools of 0 or 1", shown(entry.tensor->name), bytes[i]));
    }
  }
  return {};
}

class StoredCheckpoint : public Checkpoint {
 public:
  // Names the source's tensors as deliveries and remembers what the map does not know.
  static Result<std::unique_ptr<StoredCheckpoint>> open(const std::string& path, const NameMap& map) {
    RELOADLAB_ASSIGN(SafetensorsSource source, SafetensorsSource::open(path));
    auto checkpoint = std::unique_ptr<StoredCheckpoint>(new StoredCheckpoint(path, std::move(source)));
    for (const auto& [name, entry] : checkpoint->source_.entries()) {
      if (map.ignores(name)) continue;
      std::optional<std::string> delivered = map.delivery_name(name);
      if (!delivered) {
        checkpoint->unexpected_.push_back(name);
        continue;
      }
      auto [other, fresh] = checkpoint->entries_.emplace(*delivered, entry);
      if (!fresh)
        return error_at(entry, fmt::format("tensor {} is {} as {} is, expected one of them", shown(name), *delivered,
                                           shown(other->second.tensor->name)));
    }
    return checkpoint;
  }

  // Every delivery has its tensor; what no delivery takes joins the unexpected names.
  Status fit(const model::ModelSpec& model) {
    std::set<std::string, std::less<>> taken;
    for (const model::LayerSpec& layer : model.layers) {
      const model::LayerKind* kind = model::find_layer_kind(layer.kind);
      if (kind == nullptr) return Status(Code::data, fmt::format("{}: no layer kind is called \"{}\"", layer.name, layer.kind));
      for (const model::Delivery& delivery : kind->deliveries(layer)) {
        RELOADLAB_TRY(find(delivery).status());
        taken.insert(delivery.name);
      }
    }
    for (const auto& [name, entry] : entries_)
      if (!taken.contains(name)) unexpected_.push_back(entry.tensor->name);
    return {};
  }

  Result<at::Tensor> read(const model::Delivery& delivery) const override {
    RELOADLAB_ASSIGN(Entry entry, find(delivery));
    at::Tensor tensor = fresh_tensor(delivery);
    RELOADLAB_TRY(entry.file->read(*entry.tensor, bytes_of(tensor)));
    if (delivery.dtype == DType::boolean) RELOADLAB_TRY(check_bools(entry, bytes_of(tensor)));
    return tensor;
  }

  std::vector<std::string> unexpected() const override { return unexpected_; }

 private:
  StoredCheckpoint(std::string path, SafetensorsSource source) : path_(std::move(path)), source_(std::move(source)) {}

  Result<Entry> find(const model::Delivery& delivery) const {
    auto found = entries_.find(delivery.name);
    std::string wanted = fmt::format("{} [{}]", dtype_name(delivery.dtype), fmt::join(delivery.shape, ", "));
    if (found == entries_.end()) return Origin{path_}.error(0, fmt::format("no tensor for {}, expected {}", delivery.name, wanted));
    const StoredTensor& tensor = *found->second.tensor;
    if (tensor.dtype == delivery.dtype && tensor.shape == delivery.shape) return found->second;
    std::string_view type = tensor.dtype ? dtype_name(*tensor.dtype) : std::string_view(tensor.type);
    return error_at(found->second, fmt::format("tensor {} is {} [{}], expected {} for {}", shown(tensor.name), type,
                                               fmt::join(tensor.shape, ", "), wanted, delivery.name));
  }

  std::string path_;
  SafetensorsSource source_;
  std::map<std::string, Entry, std::less<>> entries_;  // by delivery name
  std::vector<std::string> unexpected_;
};

}  // namespace

Result<std::unique_ptr<Checkpoint>> safetensors_checkpoint(const std::string& path, const std::string& map, const model::ModelSpec& model) {
  RELOADLAB_ASSIGN(NameMap names, find_name_map(map));
  RELOADLAB_ASSIGN(std::unique_ptr<StoredCheckpoint> checkpoint, StoredCheckpoint::open(path, names));
  RELOADLAB_TRY(checkpoint->fit(model));
  return std::unique_ptr<Checkpoint>(std::move(checkpoint));
}

}  // namespace reloadlab::sim
