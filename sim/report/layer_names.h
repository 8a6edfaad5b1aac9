#pragma once
// Layers of series by what tells them apart: of blocks.0.o_proj and blocks.1.o_proj "0" and "1".
#include <string>

#include "sim/report/trace_file.h"

namespace reloadlab::sim {

class LayerNames {
 public:
  explicit LayerNames(const std::vector<TracedSeries>& series);
  // "2" of blocks.2.o_proj; what is no layer of a series stays as it is.
  std::string operator()(const std::string& layer) const;
  // "reach blocks.2.o_proj" as "reach 2".
  std::string in(const std::string& about) const;
  // "layers: N is blocks.N.o_proj"; empty where names are as they are.
  std::string legend() const;

 private:
  size_t head_ = 0, tail_ = 0;  // characters that all have in common
  std::vector<std::string> names_;
};

}  // namespace reloadlab::sim
