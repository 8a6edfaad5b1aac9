#pragma once
// Rules OQ3-OQ6 as arithmetic, for who restores, loads and quantizes the whole model at once (scope=model). Extra bytes at a time are
//   from prepare to finish, every parameter as it was before the first post-load step, names that share one once
// + while a load call is in flight, the source that its tensor comes in, and what its loader needs
// + in finish, layer after layer, what its post-load step needs and leaves, when the parameters that it replaced are gone; then what
//   deferred layers' own steps need.
// What it leaves is copied back and gone when finish returns. Where one tensor has two names, `every_tie` tells whether both are
// restored: otherwise the second keeps the quantized tensor, and that is quantized once more.
//
// Only for models that were quantized: what was never recorded has nothing to restore, and takes loads straight.
#include <map>
#include <string>

#include "sim/replay/catalogue.h"

namespace reloadlab::sim {

class WholeModelMemory {
 public:
  WholeModelMemory(const Catalogue& catalogue, model::TensorParallel tp, bool every_tie);
  bool quantizes() const { return quantizes_; }         // some layer's post-load step
  int64_t restored() const { return restored_; }        // from prepare on
  int64_t finish_peak() const { return finish_peak_; }  // at the most while finish runs

 private:
  // A restored parameter, by the path of its first name.
  struct Fresh {
    int64_t bytes = 0;
    int names = 0;  // that hold it
  };
  using Slots = std::vector<model::SlotSpec>;
  std::string first_name(int layer, const model::SlotSpec& slot) const;
  Slots slots_of(int layer) const { return catalogue_.kind(layer).slots(catalogue_.layer(layer), tp_); }
  bool is_restored(const model::SlotSpec& slot) const;
  void restore(int layer);
  void quantize(int layer);
  int64_t replaced(int layer, const model::SlotSpec& before, int64_t after_bytes);
  Slots before_step(int layer) const;
  void see(int64_t beside);
  int64_t own_step_bytes(int layer) const;

  const Catalogue& catalogue_;
  model::TensorParallel tp_;
  bool every_tie_, quantizes_ = false;
  std::map<std::string, Fresh> fresh_;
  int64_t restored_ = 0, live_ = 0, finish_peak_ = 0;
};

}  // namespace reloadlab::sim
