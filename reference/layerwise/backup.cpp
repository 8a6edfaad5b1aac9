#include "reference/layerwise/backup.h"

#include "reference/layerwise/storage.h"

namespace reloadlab::layerwise {
namespace {

struct KernelSpan {
  at::Tensor tensor;
  Span span;
};

// One span for each kernel storage of the group, in slot order.
std::vector<KernelSpan> kernel_spans(const Group& group) {
  std::vector<KernelSpan> spans;
  std::unordered_map<const c10::StorageImpl*, size_t> known;
  auto add = [&](const model::Slots& slots) {
    for (const model::Slot& slot : slots) {
      if (!slot.handle || !slot.handle->tensor.defined()) continue;
      const at::Tensor& tensor = slot.handle->tensor;
      const Span span = span_of(tensor);
      auto [place, fresh] = known.emplace(tensor.storage().unsafeGetStorageImpl(), spans.size());
      if (fresh) spans.push_back({tensor, span});
      Span& joined = spans[place->second].span;
      joined = {std::min(joined.begin, span.begin), std::max(joined.end, span.end)};
    }
  };
  for (const Member& member : group.members) {
    add(member.kernel_parameters);
    add(member.kernel_buffers);
  }
  return spans;
}

void save(Group& group, const KernelSpan& kernel) {
  const at::Tensor flat = bytes_of_storage(kernel.tensor, kernel.span.begin, kernel.span.end - kernel.span.begin);
  group.backup.push_back({flat, flat.clone()});
}

}  // namespace

int64_t kernel_bytes(const Group& group) {
  int64_t bytes = 0;
  for (const KernelSpan& kernel : kernel_spans(group)) bytes += kernel.span.end - kernel.span.begin;
  return bytes;
}

void take_backup(Group& group) {
  for (const KernelSpan& kernel : kernel_spans(group)) save(group, kernel);
}

void back_up(Group& group, const at::Tensor& tensor) { save(group, {tensor, span_of(tensor)}); }

void restore_backup(Group& group) {
  for (SavedTensor& saved : group.backup) saved.kernel.copy_(saved.bytes);
  group.backup.clear();
  group.kernel_written = false;
}

void restore_extra(Member& member) {
  model::LayerPtr layer = member.layer.lock();
  if (!layer) return;
  layer->extra = member.kernel_extra;
  layer->post_load_done = member.post_load_done;
}

}  // namespace reloadlab::layerwise
