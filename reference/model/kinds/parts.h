#pragma once
// Linear layers over one input that stand below one another in one weight: names and rows of the parts, and how one is loaded.
//
//   outs {4, 2} over 2 ranks:   rank 0  a0 a1 | b0     rank 1  a2 a3 | b1
#include "reference/model/kinds/construct.h"

namespace reloadlab::model {

// `outs` are the rows of the whole parts, all of which the ranks divide.
struct LoadPart {
  int64_t in;  // 0: a bias
  std::vector<int64_t> outs;
  std::vector<std::string> shards;  // as part_shards() has them
  Status operator()(TensorParallel tp, Parameter& destination, const at::Tensor& loaded, const LoadArgs& args) const;
  Result<LoadBoxes> boxes(TensorParallel tp, const at::Tensor& destination, const at::Tensor& loaded, const LoadArgs& args) const;
};

std::vector<KeyInfo> parts_keys(std::vector<KeyInfo> own);  // in, outs, the kind's own, names, shards, loader
// How a checkpoint calls the part: a sibling with its name, or its number below the layer where there are no names.
std::string part_name(const LayerSpec& spec, size_t part);
// What loaders are told to know a part by, which engines take from the checkpoint's name: its number, or what the key says.
std::vector<std::string> part_shards(const LayerSpec& spec);
// The part's; none where it is the whole layer and called as that: its loader needs no telling.
std::string part_shard(const LayerSpec& spec, size_t part);
// At least one part, and as many names and shards where there are any.
Status check_parts(const LayerSpec& spec);

// The box of a part's rows on the rank. A tensor whose rows are packed has `outs` divided by what is packed; columns 0: one dimension.
std::vector<Placement> place_part(const LayerSpec& spec, const std::vector<int64_t>& outs, const Delivery& delivery, int64_t columns,
                                  TensorParallel tp);

}  // namespace reloadlab::model
