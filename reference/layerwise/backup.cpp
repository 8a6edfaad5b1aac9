#include "reference/layerwise/backup.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "reference/layerwise/storage.h"
#include "reference/layerwise/transfer.h"

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

int64_t length(const KernelSpan& kernel) { return kernel.span.end - kernel.span.begin; }

at::Tensor bytes_of(const KernelSpan& kernel) { return bytes_of_storage(kernel.tensor, kernel.span.begin, length(kernel)); }

// For all that lies on a device.
struct Buffer {
  c10::Device device;
  int64_t size = 0, used = 0;
  at::Tensor bytes;
};

Buffer& buffer_on(std::vector<Buffer>& buffers, c10::Device device) {
  const auto known = std::ranges::find(buffers, device, &Buffer::device);
  return known == buffers.end() ? buffers.emplace_back(Buffer{.device = device}) : *known;
}

std::vector<Buffer> buffers_for(const std::vector<KernelSpan>& spans) {
  std::vector<Buffer> buffers;
  for (const KernelSpan& kernel : spans) buffer_on(buffers, kernel.tensor.device()).size += length(kernel);
  for (Buffer& buffer : buffers) buffer.bytes = at::empty({buffer.size}, at::TensorOptions(at::kByte).device(buffer.device));
  return buffers;
}

// Into one buffer, by copies that are gathered: a group may have many small tensors.
std::vector<SavedTensor> copies_of(const std::vector<KernelSpan>& spans, Gather gather) {
  std::vector<Buffer> buffers = buffers_for(spans);
  std::vector<SavedTensor> saved;
  Transfer transfer(gather);
  for (const KernelSpan& kernel : spans) {
    Buffer& buffer = buffer_on(buffers, kernel.tensor.device());
    const int64_t start = std::exchange(buffer.used, buffer.used + length(kernel));
    saved.push_back({bytes_of(kernel), bytes_of_storage(buffer.bytes, start, length(kernel))});
    transfer.add(saved.back().bytes, {saved.back().bytes, saved.back().kernel});
  }
  transfer.join();
  return saved;
}

}  // namespace

int64_t kernel_bytes(const Group& group) {
  int64_t bytes = 0;
  for (const KernelSpan& kernel : kernel_spans(group)) bytes += length(kernel);
  return bytes;
}

void take_backup(Group& group, Gather gather) { group.backup = copies_of(kernel_spans(group), gather); }

void back_up(Group& group, const at::Tensor& tensor) {
  const at::Tensor bytes = bytes_of({tensor, span_of(tensor)});
  group.backup.push_back({bytes, bytes.clone()});
}

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
