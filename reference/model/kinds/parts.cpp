#include "reference/model/kinds/parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/shards.h"

namespace reloadlab::model {
namespace {

// As many as there are parts where the shard is none of them. Without a shard it is the only part.
size_t part_of(const std::vector<std::string>& shards, const std::optional<std::string>& shard) {
  if (!shard) return shards.size() == 1 ? 0 : shards.size();
  return static_cast<size_t>(std::ranges::find(shards, *shard) - shards.begin());
}

}  // namespace

Result<LoadBoxes> LoadPart::boxes(TensorParallel tp, const at::Tensor& destination, const at::Tensor& loaded, const LoadArgs& args) const {
  const size_t part = part_of(shards, args.shard);
  if (part >= outs.size())
    return Status(Code::failed, fmt::format("shard \"{}\" is none of the {} parts", args.shard.value_or(""), outs.size()));
  RELOADLAB_TRY(expect_shape(loaded, in > 0 ? WholeShape{{outs[part], in}, 2} : WholeShape{{outs[part]}, 1}));
  const int64_t offset = std::accumulate(outs.begin(), outs.begin() + static_cast<std::ptrdiff_t>(part), int64_t{0}) / tp.size;
  const int64_t length = outs[part] / tp.size;
  return LoadBoxes{box_of(Part(destination), loaded, {.dim = 0, .target = offset, .source = length * tp.rank, .length = length})};
}

Status LoadPart::operator()(TensorParallel tp, Parameter& destination, const at::Tensor& loaded, const LoadArgs& args) const {
  return copy_boxes(boxes(tp, destination.tensor, loaded, args));
}

std::vector<KeyInfo> parts_keys(std::vector<KeyInfo> own) {
  std::vector<KeyInfo> keys{
      {.name = "in", .required = true, .minimum = 1, .about = "inputs"},
      {.name = "outs", .type = KeyInfo::Type::integers, .required = true, .minimum = 1, .about = "outputs of each part, split over ranks"}};
  std::ranges::move(own, std::back_inserter(keys));
  keys.push_back({.name = "names",
                  .type = KeyInfo::Type::text,
                  .fallback = std::string(),
                  .about = "sibling names of the parts in checkpoints, \"gate_proj,up_proj\"; without it a part is called by its number "
                           "below the layer"});
  keys.push_back({.name = "shards",
                  .type = KeyInfo::Type::text,
                  .fallback = std::string(),
                  .about = "what loaders know the parts by, \"q,k,v\"; without it by their numbers"});
  keys.push_back(loader_key());
  return keys;
}

std::string part_name(const LayerSpec& spec, size_t part) {
  const auto names = split_names(spec.text("names"));
  return names.empty() ? fmt::format("{}.{}", checkpoint_name(spec.name), part) : sibling(spec.name, names[part]);
}

std::vector<std::string> part_shards(const LayerSpec& spec) {
  std::vector<std::string> shards;
  for (const std::string_view shard : split_names(spec.text("shards"))) shards.emplace_back(shard);
  for (size_t part = shards.size(); part < spec.integers("outs").size(); ++part) shards.push_back(std::to_string(part));
  return shards;
}

std::string part_shard(const LayerSpec& spec, size_t part) {
  return part_name(spec, part) == checkpoint_name(spec.name) ? std::string() : part_shards(spec)[part];
}

Status check_parts(const LayerSpec& spec) {
  const size_t parts = spec.integers("outs").size(), names = split_names(spec.text("names")).size();
  const std::vector<std::string_view> shards = split_names(spec.text("shards"));
  if (parts == 0) return Status(Code::data, spec.name + ": outs needs at least one part");
  if (names > 0 && names != parts) return Status(Code::data, fmt::format("{}: {} names for {} parts", spec.name, names, parts));
  if (!shards.empty() && shards.size() != parts)
    return Status(Code::data, fmt::format("{}: {} shards for {} parts", spec.name, shards.size(), parts));
  for (size_t part = 1; part < shards.size(); ++part)
    if (std::ranges::count(shards, shards[part]) > 1)
      return Status(Code::data, fmt::format("{}: two parts are shard {}", spec.name, shards[part]));
  return {};
}

std::vector<Placement> place_part(const LayerSpec& spec, const std::vector<int64_t>& outs, const Delivery& delivery, int64_t columns,
                                  TensorParallel tp) {
  const size_t part = part_of(part_shards(spec), delivery.shard);
  int64_t before = 0;
  for (size_t i = 0; i < part; ++i) before += outs[i] / tp.size;
  const Piece rows = piece_of(outs[part], outs[part], tp);
  if (columns == 0) return place({rows.start}, {before}, {rows.local});
  return place({rows.start, 0}, {before, 0}, {rows.local, columns});
}

}  // namespace reloadlab::model
