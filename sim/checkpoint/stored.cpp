// Checkpoints that lie in safetensors files.
#include <fmt/format.h>

#include <map>

#include "sim/checkpoint/checkpoint.h"
#include "sim/checkpoint/fresh.h"
#include "sim/checkpoint/json_tree.h"
#include "sim/checkpoint/placing.h"
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
  // Every delivery has its tensor, in its shape; what no delivery takes is unexpected.
  static Result<std::unique_ptr<Checkpoint>> open(const std::string& path, const NameMap& map, const model::ModelSpec& model) {
    RELOADLAB_ASSIGN(SafetensorsSource source, SafetensorsSource::open(path));
    auto checkpoint = std::unique_ptr<StoredCheckpoint>(new StoredCheckpoint(path, std::move(source)));
    RELOADLAB_ASSIGN(Placing placing, place_names(model, map, checkpoint->source_.names()));
    RELOADLAB_TRY(checkpoint->take(std::move(placing)));
    return std::unique_ptr<Checkpoint>(std::move(checkpoint));
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

  Status take(Placing placing) {
    const auto& entries = source_.entries();
    for (const Placing::Second& second : placing.seconds) {
      return error_at(entries.find(second.stored)->second, fmt::format("tensor {} is {} as {} is, expected one of them",
                                                                       shown(second.stored), second.delivery, shown(second.first)));
    }
    for (const Placing::Place& place : placing.places) {
      if (!place.stored.empty()) entries_.emplace(place.delivery.name, entries.find(place.stored)->second);
      RELOADLAB_TRY(find(place.delivery).status());
    }
    unexpected_ = std::move(placing.unexpected);
    return {};
  }

  Result<Entry> find(const model::Delivery& delivery) const {
    const auto found = entries_.find(delivery.name);
    if (found == entries_.end())
      return Origin{path_}.error(0, fmt::format("no tensor for {}, expected {}", delivery.name, described(delivery)));
    RELOADLAB_TRY(check_fit(found->second, delivery));
    return found->second;
  }

  std::string path_;
  SafetensorsSource source_;
  std::map<std::string, Entry, std::less<>> entries_;  // by delivery name
  std::vector<std::string> unexpected_;
};

}  // namespace

Result<std::unique_ptr<Checkpoint>> safetensors_checkpoint(const std::string& path, const std::string& map, const model::ModelSpec& model) {
  RELOADLAB_ASSIGN(const NameMap names, find_name_map(map));
  return StoredCheckpoint::open(path, names, model);
}

}  // namespace reloadlab::sim
