#pragma once
// How far a group of layers has come: the number that its target is compared with (LW5), or the set of elements that are there.
// A load call is counted first and credited after everything about it has succeeded.
#include <c10/util/FunctionRef.h>

#include <memory>
#include <vector>

#include "reference/layerwise/accounting/write_set.h"
#include "reference/layerwise/accounting/write_tracker.h"
#include "reference/model/layer.h"

namespace reloadlab::layerwise {

// What one load call did, in elements.
struct Counted {
  int64_t fresh = 0;     // counted for the first time; everything, where only numbers are kept
  int64_t repeated = 0;  // were there already
  PlainCopies copies;    // all that the call did, if it only copied, and no element twice
};

// Elements of one tensor that a complete checkpoint writes and nobody sent. No layer and no slot: of the whole group.
struct Missing {
  std::string layer, slot;
  int64_t numel = 0;
};

class Progress {
 public:
  virtual ~Progress() = default;
  // Runs the call and finds out what it loads. Nothing is credited. Returns what the call returns; exceptions become Code::failed,
  // writes that cannot be accounted for Code::rejected.
  virtual Result<Counted> count(c10::function_ref<Status()> call) = 0;
  // The same of writes that are known. REQUIRES that no two of them overlap.
  virtual Result<Counted> count_known(const std::vector<Write>& writes);
  // With what was counted last: is everything there?
  virtual bool would_complete() const = 0;
  virtual void credit() = 0;
  virtual bool complete() const = 0;
  virtual bool received() const = 0;  // has any element been credited
  virtual std::vector<Missing> missing() const = 0;
  virtual void reset() = 0;
};

class NumelProgress final : public Progress {
 public:
  explicit NumelProgress(int64_t numel_total) : numel_total_(numel_total) {}
  Result<Counted> count(c10::function_ref<Status()> call) override;
  bool would_complete() const override { return numel_ + pending_ >= numel_total_; }
  void credit() override { numel_ += std::exchange(pending_, 0); }
  bool complete() const override { return numel_ >= numel_total_; }
  bool received() const override { return numel_ > 0; }
  std::vector<Missing> missing() const override;
  void reset() override { numel_ = pending_ = 0; }

 private:
  int64_t numel_total_, numel_ = 0, pending_ = 0;
};

// What is there of one placeholder storage. Lives as long as the group; the tracker knows it by address.
struct StorageProgress {
  const WriteSet* loadable = nullptr;  // what a complete checkpoint writes
  bool all_loadable = false;           // that is every byte of the storage
  int64_t item_bytes = 1;              // bytes of one element, for numbers in reports
  std::string_view layer, slot;        // the tensor that it is reported as, as the records of the group's layers have it
  class ElementProgress* group = nullptr;
  std::vector<Footprint> pending;       // disjoint once settled; of the call that was counted last
  std::optional<WriteSet> overlapping;  // their union, where a call writes more than once
  int64_t missing_bytes() const;
  WriteSet& written();
  // Parts of the footprint that neither earlier calls nor the one counted last wrote.
  template <class Fn>
  void for_each_unwritten(const Footprint& footprint, Fn&& fn) const {
    WriteSet all = written_ ? *written_ : WriteSet(loadable->space());
    for (const Footprint& part : pending) all.add(part);
    all.for_each_gap(footprint, fn);
  }
  bool is_pending(const Footprint& footprint);  // written whole by the call that is counted
  void take(const Footprint& footprint);
  void settle();
  void reset() { written_.reset(); }

 private:
  void unite();

  std::optional<WriteSet> written_;  // made with the first load: many storages are armed at once, and often few are loaded
};

class ElementProgress final : public Progress {
 public:
  // REQUIRES a tracker that outlives it and watches the group's storages as the StorageProgress of add().
  explicit ElementProgress(WriteTracker& tracker) : tracker_(tracker) {}
  StorageProgress& add(const WriteSet& loadable, int64_t storage_bytes);

  Result<Counted> count(c10::function_ref<Status()> call) override;
  Result<Counted> count_known(const std::vector<Write>& writes) override;
  bool would_complete() const override { return loadable_bytes_ > 0 && credited_bytes_ + pending_bytes_ == loadable_bytes_; }
  void credit() override;
  bool complete() const override { return credited_bytes_ == loadable_bytes_; }
  bool received() const override { return received_; }
  std::vector<Missing> missing() const override;
  void reset() override;

  const c10::SmallVectorImpl<std::unique_ptr<StorageProgress>>& storages() const { return storages_; }

 private:
  void forget_last();
  Status take(const Write& write);
  // Settles what the writes touched; `bytes` gets what they wrote, each once.
  Result<Counted> settle(const std::vector<Write>& writes, int64_t& bytes);
  Counted weigh(StorageProgress& storage);

  WriteTracker& tracker_;
  c10::SmallVector<std::unique_ptr<StorageProgress>, 2> storages_;
  std::vector<StorageProgress*> touched_;  // by the call that was counted last
  bool received_ = false;
  int64_t loadable_bytes_ = 0;  // over all storages
  int64_t credited_bytes_ = 0;  // of those, written
  int64_t pending_bytes_ = 0;   // of those, written by the call that was counted last and not before
  bool counted_ = false;
};

}  // namespace reloadlab::layerwise
