#include "sim/attach/held.h"

namespace reloadlab::sim {

int64_t Places::serial_of(const at::Tensor& tensor) {
  c10::StorageImpl* storage = tensor.storage().unsafeGetStorageImpl();
  const auto known = seen_.find(storage);
  if (known != seen_.end() && !known->second.storage.expired() && known->second.data == storage->data()) return known->second.serial;
  const Seen now{c10::weak_intrusive_ptr<c10::StorageImpl>(tensor.storage().getWeakStorageImpl()), storage->data(), next_++};
  return seen_.insert_or_assign(storage, now).first->second.serial;
}

}  // namespace reloadlab::sim
