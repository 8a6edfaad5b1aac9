#include "reference/layerwise/declared.h"

#include <algorithm>
#include <tuple>

#include "reference/layerwise/accounting/write_set.h"
#include "reference/layerwise/load.h"
#include "reference/layerwise/storage.h"
#include "reference/model/guard.h"

namespace reloadlab::layerwise {
namespace {

// One box's, if it is one that can be copied and counted without its loader.
std::optional<DeclaredBox> checked(const model::LoadBox& box, const at::Tensor& destination, const at::Tensor& loaded) {
  if (!box.to.is_alias_of(destination) || !box.from.is_alias_of(loaded) || box.to.sizes() != box.from.sizes()) return std::nullopt;
  if (box.from.scalar_type() != loaded.scalar_type()) return std::nullopt;
  std::vector<Footprint> footprints;
  if (!append_footprints(box.to, footprints).ok() || footprints.size() != 1) return std::nullopt;
  return DeclaredBox{.to = box.to,
                     .footprint = footprints.front(),
                     .sizes = box.from.sizes().vec(),
                     .strides = box.from.strides().vec(),
                     .start = box.from.storage_offset() - loaded.storage_offset()};
}

DeclaredBoxes ask(const model::Loader& loader, const at::Tensor& destination, const at::Tensor& loaded, const model::LoadArgs& args) {
  DeclaredBoxes declared{.said = false, .shape = loaded.sizes().vec(), .boxes = {}};
  const model::LayerPtr self = loader.is_method ? loader.self.lock() : nullptr;
  if (!loader.boxes || (loader.is_method && !self)) return declared;
  Status status = model::guarded([&] {
    RELOADLAB_ASSIGN(const model::LoadBoxes boxes, loader.boxes(self.get(), destination, loaded, args));
    WriteSet all{IndexSpace(destination)};
    for (const model::LoadBox& box : boxes) {
      std::optional<DeclaredBox> one = checked(box, destination, loaded);
      if (!one || all.add(one->footprint) < one->footprint.bytes()) return Status(Code::unsupported, "a box that only its loader can copy");
      declared.boxes.push_back(*std::move(one));
    }
    return Status();
  });
  declared.said = status.ok();
  return declared;
}

}  // namespace

bool ByArguments::operator()(const model::LoadArgs& a, const model::LoadArgs& b) const {
  return std::tie(a.expert, a.shard, a.part) < std::tie(b.expert, b.shard, b.part);
}

const DeclaredBoxes* declared_boxes(const LoadCall& call, const model::Loader& loader, const at::Tensor& destination) {
  if (!call.loaded.is_contiguous()) return nullptr;
  const RecordedSlot* slot = call.layer().record->find(call.slot);
  if (!slot || !slot->tensor || !destination.is_alias_of(slot->tensor->storage->placeholder)) return nullptr;
  DeclaredByArguments& known = slot->tensor->declared;
  const auto found = known.find(call.args);
  const bool same = found != known.end() && call.loaded.sizes() == found->second.shape;
  const DeclaredBoxes& declared =
      same ? found->second : known.insert_or_assign(call.args, ask(loader, destination, call.loaded, call.args)).first->second;
  return declared.said ? &declared : nullptr;
}

at::Tensor part_of(const DeclaredBox& box, const at::Tensor& loaded) {
  if (loaded.sizes() == box.sizes) return loaded;
  return view_on(loaded, box.sizes, box.strides, loaded.storage_offset() + box.start);
}

}  // namespace reloadlab::layerwise
