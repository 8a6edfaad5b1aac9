#pragma once
// Sees what a loader writes into the storages that are watched, exactly, or refuses the operator before it runs.
#include <c10/util/SmallVector.h>

#include <utility>
#include <vector>

#include "reference/layerwise/accounting/footprint.h"
#include "reference/layerwise/accounting/op_rules.h"
#include "reference/model/tap/tap.h"

namespace reloadlab::layerwise {

// One write into a watched storage.
struct Write {
  void* watched;  // what watch() was told
  Footprint footprint;
  bool transform;  // a function of what was there: only fit for what the same call has written
};

// A copy_ that a loader issued onto a watched storage. The destination lies on meta.
struct PlainCopy {
  at::Tensor to, from;
};
using PlainCopies = c10::SmallVector<PlainCopy, 2>;

class WriteTracker final : public model::OpListener {
 public:
  enum class Unaccountable {
    refuse,    // throws from before(): the operator is not run; refusal() says why
    remember,  // lets it run; lost() lists the storages
  };
  explicit WriteTracker(Unaccountable what) : what_(what) {}

  void watch(const c10::StorageImpl* storage, void* as);
  void unwatch_all() { watched_.clear(); }
  bool watches(const c10::StorageImpl* storage) const { return watched_.contains(storage); }
  void* find(const at::Tensor& tensor) const { return watched(tensor); }  // null when its storage is not watched
  // Forgets the writes of the call before.
  void start();
  const std::vector<Write>& writes() const { return writes_; }
  // The call's copies, which are then forgotten: they keep what was loaded. copies_only(): it wrote nothing in any other way.
  PlainCopies take_copies() { return std::exchange(copies_, {}); }
  bool copies_only() const { return copies_only_; }
  const std::vector<void*>& lost() const { return lost_; }
  const Status& refusal() const { return refusal_; }

  void before(const c10::OperatorHandle& op, const torch::jit::Stack& stack) override;
  void after(const c10::OperatorHandle&, const torch::jit::Stack&) override {}

 private:
  void* watched(const at::Tensor& tensor) const;
  void note(const c10::OperatorHandle& op, OpRule rule, const c10::IValue* arguments, const at::Tensor& destination);
  void remember_copy(const c10::OperatorHandle& op, const c10::IValue* arguments, const at::Tensor& destination);
  Status footprints(OpRule rule, const c10::OperatorHandle& op, const c10::IValue* arguments, const at::Tensor& destination);
  void refuse(void* as, Status why);

  Unaccountable what_;
  OpRules rules_;
  std::unordered_map<const c10::StorageImpl*, void*> watched_;
  std::vector<Footprint> found_;
  std::vector<Write> writes_;
  PlainCopies copies_;
  bool copies_only_ = true;
  std::vector<void*> lost_;
  Status refusal_;
};

}  // namespace reloadlab::layerwise
