#pragma once
// What the files of architectures share: how they read their keys and append layers.
#include "reference/base/status.h"
#include "reference/model/spec.h"

namespace reloadlab::model {

class LayerList {
 public:
  explicit LayerList(ModelSpec& spec) : spec_(spec) {}

  // Values of the architecture's keys. REQUIRES that it declares them with this type.
  int64_t integer(std::string_view key) const;
  double number(std::string_view key) const;
  bool flag(std::string_view key) const;
  const std::string& text(std::string_view key) const;
  const std::vector<int64_t>& integers(std::string_view key) const;

  void add(std::string name, std::string kind, Values values);
  void add_quantized(std::string name, std::string kind, Values values);  // with the quantization of the key `quant`
  void set_last_dtype(DType dtype);
  void set_last_quant(std::string quant);
  void tie_last(std::string slot);  // the layer added last holds that tensor too

 private:
  ModelSpec& spec_;
};

int64_t integer_of(const ModelSpec& spec, std::string_view key);
// hidden is a multiple of heads
Status heads_divide(const ModelSpec& spec);

}  // namespace reloadlab::model
