#pragma once
// Layers of series by what tells them apart: of blocks.0.o_proj and blocks.1.o_proj "0" and "1", or "o.0" and "o.1" where the model has
// other series than o.
#include <string>

#include "sim/report/trace_file.h"

namespace reloadlab::sim {

class LayerNames {
 public:
  explicit LayerNames(const std::vector<TracedSeries>& series);
  // "2" of blocks.2.o_proj; what is no layer of a series stays as it is.
  std::string operator()(const std::string& layer) const;
  // The same in so much room, as much as there is of what tells it apart. REQUIRES most > 2
  std::string within(const std::string& layer, size_t most) const;
  // "reach blocks.2.o_proj" as "reach 2".
  std::string in(const std::string& about) const;
  // "blocks.2.o_proj" of "reach blocks.2.o_proj"; empty where it is about no layer.
  std::string layer_in(const std::string& about) const;
  // "layers: N is blocks.N.o_proj"; empty where names are as they are.
  std::string legend() const;

 private:
  struct One {
    std::string series;         // empty where there is only one
    size_t head = 0, tail = 0;  // characters that all have in common
    std::vector<std::string> layers;
    std::string tells(const std::string& layer) const { return layer.substr(head, layer.size() - head - tail); }
  };
  const One* series_of(const std::string& layer) const;
  std::vector<One> series_;
};

}  // namespace reloadlab::sim
