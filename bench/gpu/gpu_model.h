#pragma once
// A model of an architecture on a GPU, and a checkpoint of it that lies there too: all tensors in one allocation, in the order in which
// they are loaded.
#include <vector>

#include "reference/model/layer.h"

namespace reloadlab::bench {

struct GpuLoad {
  model::Layer* layer;
  std::string slot;
  model::LoadArgs args;
  at::Tensor source;
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;  // (to, from): what the loader does
};

enum class Sources {
  device,
  pinned,  // in the host's memory
};

class GpuModel {
 public:
  // REQUIRES that the device has room for the model twice, or once where the sources lie elsewhere.
  GpuModel(const model::ModelSpec& spec, Sources sources);

  // Bytes of the tensors of a checkpoint.
  static int64_t bytes(const model::ModelSpec& spec);

  model::Model& model() { return *model_; }
  const std::vector<GpuLoad>& loads() const { return loads_; }
  const at::Tensor& sources() const { return sources_; }
  // Every load through the loader that stands in the model now.
  Status send() const;
  void copy_plainly() const;
  // The loads of which the model holds other bytes than came.
  int64_t wrong() const;
  // Other bytes than the checkpoint's into every tensor that is loaded.
  void spoil();

 private:
  void add(const model::LayerSpec& layer, const model::Delivery& delivery, int64_t offset);

  std::unique_ptr<model::Model> model_;
  at::Tensor sources_;
  std::vector<GpuLoad> loads_;
};

}  // namespace reloadlab::bench
