#include "sim/replay/memory_model.h"

#include <algorithm>
#include <iterator>

#include "reference/model/quant/step_helpers.h"

namespace reloadlab::sim {
namespace {

int64_t total_bytes(const std::vector<model::SlotSpec>& slots) {
  int64_t bytes = 0;
  for (const model::SlotSpec& slot : slots) bytes += model::storage_bytes(slot);
  return bytes;
}

// What stays of a post-load step. In a group of several quantized layers all have methods that take ties: those make what they do not
// permute.
int64_t made_bytes(const model::QuantInfo& quant, const std::vector<model::SlotSpec>& before) {
  int64_t bytes = 0;
  for (const model::SlotSpec& slot : quant.results(before))
    if (!quant.permutes(slot.name)) bytes += model::storage_bytes(slot);
  return bytes;
}

}  // namespace

int64_t read_bytes(const Catalogue& catalogue, int layer, model::TensorParallel tp) {
  int64_t bytes = 0;
  for (const model::LayerKind::Reference& reference : catalogue.kind(layer).references(catalogue.layer(layer), tp)) {
    if (reference.read != model::LayerKind::Reference::Read::value) continue;
    const std::string path = model::resolve_alias(catalogue.model(), catalogue.layer(layer), reference.slot);
    const int there = catalogue.find_layer(model::split_slot_path(path).first);
    const model::QuantInfo* quant = model::find_quant_method(catalogue.layer(there).quant);
    if (quant->value_bytes) bytes += quant->value_bytes(catalogue.kind(there).slots(catalogue.layer(there), tp));
  }
  return bytes;
}

MemoryModel::MemoryModel(const Catalogue& catalogue, model::TensorParallel tp, Backup backup, bool shadow, model::Operators operators)
    : sizes_(static_cast<size_t>(catalogue.layer_count())),
      buffered_(sizes_.size()),
      backed_up_(sizes_.size()),
      tiles_(sizes_.size()),
      backup_(backup) {
  for (int layer = 0; layer < catalogue.layer_count(); ++layer) {
    const std::vector<model::SlotSpec> slots = catalogue.kind(layer).slots(catalogue.layer(layer), tp);
    const model::QuantInfo* quant = model::find_quant_method(catalogue.layer(layer).quant);
    GroupSize& size = sizes_[static_cast<size_t>(catalogue.group_of(layer))];
    size.materialized += total_bytes(slots);
    // Layers of a group are post-processed one after the other, and their results stay.
    size.post_load = std::max(size.post_load, size.post_load_left + quant->extra_bytes(slots));
    size.post_load_left += made_bytes(*quant, slots);
    size.kernel += total_bytes(quant->results(slots));
    std::vector<model::SlotSpec> helpers = catalogue.kind(layer).helpers(catalogue.layer(layer), tp);
    std::ranges::copy(model::step_helpers(catalogue.layer(layer).quant), std::back_inserter(helpers));
    for (const model::SlotSpec& helper : helpers) {
      size.helpers += model::storage_bytes(helper);
      size.helper_most = std::max(size.helper_most, model::storage_bytes(helper));
    }
    size.read += read_bytes(catalogue, layer, tp);
    size.late += total_bytes(catalogue.kind(layer).late_slots(catalogue.layer(layer), tp));
    for (const model::SlotSpec& slot : slots)
      if (shadow && !quant->permutes(slot.name)) size.shadow += model::storage_bytes(slot);
  }
  // Loads of one group are replayed one after the other, so only the largest scratch counts.
  for (size_t i = 0; i < catalogue.deliveries().size(); ++i) {
    const int layer = catalogue.layer_of(static_cast<int>(i));
    int64_t& scratch = sizes_[static_cast<size_t>(catalogue.group_of(layer))].loader_scratch;
    scratch =
        std::max(scratch, catalogue.kind(layer).loader_scratch_bytes(catalogue.layer(layer), catalogue.deliveries()[i], tp, operators));
  }
}

void MemoryModel::begin() {
  for (std::vector<int>& serials : buffered_) serials.clear();
  backed_up_.assign(sizes_.size(), false);
  std::ranges::fill(tiles_, 0);
  sources_.clear();
  source_ = -1;
  buffered_total_ = committed_ = 0;
}

void MemoryModel::see(int64_t bytes, int64_t scratch) {
  peak_.went_through = std::max(peak_.went_through, bytes);
  peak_.failed = std::max(peak_.failed, bytes + scratch);
}

void MemoryModel::arrive(int source, int64_t bytes) {
  if (source == source_) return;
  leave();
  source_ = source;
  sources_[++serial_].bytes = bytes;
}

void MemoryModel::leave() {
  if (std::exchange(source_, -1) >= 0 && sources_.at(serial_).groups.empty()) forget(serial_);
}

void MemoryModel::forget(int serial) {
  const auto source = sources_.find(serial);
  if (source->second.counted) buffered_total_ -= source->second.bytes;
  sources_.erase(source);
}

void MemoryModel::count() {
  Source& source = sources_.at(serial_);
  if (!std::exchange(source.counted, true)) buffered_total_ += source.bytes;
}

int64_t MemoryModel::loader_scratch(int group) const {
  return std::max(sizes_[static_cast<size_t>(group)].loader_scratch, tiles_[static_cast<size_t>(group)]);
}

void MemoryModel::buffer(int group, const Tiles& tiles) {
  count();
  if (sources_.at(serial_).groups.insert(group).second) buffered_[static_cast<size_t>(group)].push_back(serial_);
  tile_of(group) = std::max(tile_of(group), tiles.replayed);
  if (backup_ == Backup::of_touched) back_up(group);
  see(committed_ + buffered_total_ + tiles.kept, loader_scratch(group));
}

void MemoryModel::pass(const Tiles& tiles) {
  count();
  see(committed_ + buffered_total_ + tiles.kept);
}

void MemoryModel::back_up(int group) {
  if (backed_up_[static_cast<size_t>(group)]) return;
  backed_up_[static_cast<size_t>(group)] = true;
  committed_ += sizes_[static_cast<size_t>(group)].kernel;
}

void MemoryModel::process(int group) {
  const GroupSize& size = sizes_[static_cast<size_t>(group)];
  const bool backup = backup_ != Backup::none;
  if (backup) back_up(group);
  // A helper goes as soon as its content is in the old one, of which there is a copy by then.
  const int64_t helpers = size.helpers + size.read + (backup ? size.helper_most : 0);
  see(committed_ + buffered_total_ + size.materialized + std::max(size.post_load + size.shadow + helpers, loader_scratch(group)));
  if (backup) committed_ += size.shadow + size.helpers;
  release(group);
}

void MemoryModel::derive(int group) {
  const GroupSize& size = sizes_[static_cast<size_t>(group)];
  see(committed_ + buffered_total_ + size.helpers + size.read);
}

void MemoryModel::release(int group) {
  tile_of(group) = 0;
  for (int serial : std::exchange(buffered_[static_cast<size_t>(group)], {})) {
    Source& source = sources_.at(serial);
    source.groups.erase(group);
    if (source.groups.empty() && (source_ < 0 || serial != serial_)) forget(serial);
  }
}

void MemoryModel::give_up(int group) {
  const GroupSize& size = sizes_[static_cast<size_t>(group)];
  see(committed_ + buffered_total_ + size.materialized + (backup_ != Backup::none ? size.kernel : 0));
}

void MemoryModel::forward() {
  for (GroupSize& size : sizes_) size.kernel += std::exchange(size.late, 0);
}

MemoryModel::Peak MemoryModel::take_peak() { return std::exchange(peak_, {}); }

}  // namespace reloadlab::sim
