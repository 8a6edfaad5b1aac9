#include "reference/layerwise/accounting/progress.h"

#include "reference/layerwise/accounting/copy_counter.h"
#include "reference/model/guard.h"

namespace reloadlab::layerwise {
namespace {

int64_t copied_bytes(const PlainCopies& copies) {
  int64_t bytes = 0;
  for (const PlainCopy& copy : copies) bytes += static_cast<int64_t>(copy.to.nbytes());
  return bytes;
}

}  // namespace

using model::guarded;
using model::Tap;
using model::TapGuard;

Result<Counted> NumelProgress::count(c10::function_ref<Status()> call) {
  CopyCounter counter;
  Status status = guarded([&] {
    TapGuard tap(Tap::engine, counter);
    return call();
  });
  if (!status.ok()) return status;
  pending_ = counter.numel();
  return Counted{.fresh = pending_};
}

std::vector<Missing> NumelProgress::missing() const {
  if (complete()) return {};
  return {{.numel = numel_total_ - numel_}};
}

int64_t StorageProgress::missing_bytes() const {
  int64_t missing = 0;
  loadable->for_each_part([&](const Footprint& part) { missing += part.bytes() - (written_ ? written_->covered(part) : 0); });
  return missing;
}

WriteSet& StorageProgress::written() {
  if (!written_) written_.emplace(loadable->space());
  return *written_;
}

void StorageProgress::unite() {
  if (overlapping) return;
  overlapping.emplace(loadable->space());
  for (const Footprint& footprint : pending) overlapping->add(footprint);
}

bool StorageProgress::is_pending(const Footprint& footprint) {
  if (pending.empty()) return false;
  if (pending.size() == 1 && pending[0] == footprint) return true;
  unite();
  return overlapping->covered(footprint) == footprint.bytes();
}

void StorageProgress::take(const Footprint& footprint) {
  if (is_pending(footprint)) return;
  if (pending.empty()) {
    pending.push_back(footprint);
  } else {
    overlapping->add(footprint);
  }
}

void StorageProgress::settle() {
  if (!overlapping) return;
  pending.clear();
  overlapping->for_each_part([&](const Footprint& part) { pending.push_back(part); });
  overlapping.reset();
}

StorageProgress& ElementProgress::add(const WriteSet& loadable, int64_t storage_bytes) {
  storages_.push_back(std::make_unique<StorageProgress>());
  StorageProgress& storage = *storages_.back();
  storage.loadable = &loadable;
  storage.all_loadable = loadable.bytes() == storage_bytes;
  storage.group = this;
  loadable_bytes_ += loadable.bytes();
  return storage;
}

Result<Counted> Progress::count_known(const std::vector<Write>&) {
  return Status(Code::unsupported, "numbers are counted as loaders write them");
}

void ElementProgress::forget_last() {
  for (StorageProgress* storage : touched_) {
    storage->pending.clear();
    storage->overlapping.reset();
  }
  touched_.clear();
  pending_bytes_ = 0;
  counted_ = false;
}

Result<Counted> ElementProgress::count(c10::function_ref<Status()> call) {
  forget_last();
  tracker_.start();
  Status status = guarded([&] {
    TapGuard tap(Tap::engine, tracker_);
    return call();
  });
  PlainCopies copies = tracker_.take_copies();
  if (!tracker_.refusal().ok()) return tracker_.refusal();
  if (!status.ok()) return status;
  int64_t bytes = 0;
  RELOADLAB_ASSIGN(Counted counted, settle(tracker_.writes(), bytes));
  if (tracker_.copies_only() && copied_bytes(copies) == bytes) counted.copies = std::move(copies);
  return counted;
}

Result<Counted> ElementProgress::count_known(const std::vector<Write>& writes) {
  forget_last();
  int64_t bytes = 0;
  return settle(writes, bytes);
}

Result<Counted> ElementProgress::settle(const std::vector<Write>& writes, int64_t& bytes) {
  for (const Write& write : writes) RELOADLAB_TRY(take(write));
  Counted counted;
  for (StorageProgress* storage : touched_) {
    storage->settle();
    for (const Footprint& footprint : storage->pending) bytes += footprint.bytes();
    const Counted one = weigh(*storage);
    counted.fresh += one.fresh;
    counted.repeated += one.repeated;
  }
  counted_ = true;
  return counted;
}

// Adds one write to what is pending, so that a call which writes an element twice counts it once.
Status ElementProgress::take(const Write& write) {
  StorageProgress& storage = *static_cast<StorageProgress*>(write.watched);
  if (storage.group != this) return Status(Code::rejected, "a loader wrote a tensor of a layer that is processed apart from its own");
  if (write.transform && !storage.is_pending(write.footprint))
    return Status(Code::rejected, "a loader transformed elements that it did not load");
  if (storage.pending.empty()) touched_.push_back(&storage);
  storage.take(write.footprint);
  return {};
}

std::vector<Missing> ElementProgress::missing() const {
  if (complete()) return {};
  std::vector<Missing> all;
  for (const auto& storage : storages_)
    if (const int64_t bytes = storage->missing_bytes(); bytes > 0)
      all.push_back({std::string(storage->layer), std::string(storage->slot), bytes / storage->item_bytes});
  return all;
}

Counted ElementProgress::weigh(StorageProgress& storage) {
  int64_t bytes = 0, fresh = 0;
  for (const Footprint& footprint : storage.pending) {
    bytes += footprint.bytes();
    storage.written().for_each_gap(footprint, [&](const Footprint& gap) {
      fresh += gap.bytes();
      pending_bytes_ += storage.all_loadable ? gap.bytes() : storage.loadable->covered(gap);
    });
  }
  return {.fresh = fresh / storage.item_bytes, .repeated = (bytes - fresh) / storage.item_bytes};
}

void ElementProgress::credit() {
  if (!std::exchange(counted_, false)) return;
  for (StorageProgress* storage : touched_)
    for (const Footprint& footprint : storage->pending) storage->written().add(footprint);
  credited_bytes_ += std::exchange(pending_bytes_, 0);
  received_ = received_ || !touched_.empty();
}

void ElementProgress::reset() {
  for (auto& storage : storages_) storage->reset();
  credited_bytes_ = pending_bytes_ = 0;
  counted_ = received_ = false;
}

}  // namespace reloadlab::layerwise
