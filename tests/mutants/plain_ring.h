#pragma once
// A shared-weight series in its plainest form, written independently of reference/shared_series: windows are made when the first layer
// has been processed, every reader leaves an event, and a refill waits for all of them. Correct for layers that are alike, with rolling or
// static binding; each RingWrong breaks it in one place.
//
//   plain_ring.cpp         passes: reach, wait, refill
//   plain_ring_build.cpp   registration, loading, finish_loading
//   plain_ring_reload.cpp  drain, reset, reload
#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "reference/model/c10d_names.h"
#include "tests/mutants/ring_wrong.h"

namespace reloadlab::mutants {

class PlainRing final : public sim::WeightSeries {
 public:
  PlainRing(RingWrong wrong, bool fixed, int rank_of_all, const model::SeriesContext& context);
  ~PlainRing() override;

  Status register_layer(const model::LayerPtr& layer, int64_t index) override;
  Status finish_loading() override;
  Status reach(int64_t index) override;
  Status wait(int64_t index) override;
  Status drain() override;
  Status reset() override;
  Status begin_reload(bool in_place) override;
  Status reload() override;
  Status sleep(bool keeps_contents) override;
  Status wake() override;

 private:
  using WorkPtr = c10::intrusive_ptr<c10d::Work>;

  using Pieces = std::set<std::tuple<std::string, std::optional<std::string>, std::optional<int64_t>, std::optional<std::string>>>;

  // A tensor as its layer was registered with it.
  struct Original {
    std::string slot;
    bool parameter, persistent;
    model::Parameter handle;  // without its tensor
    std::vector<int64_t> shape;
    at::ScalarType dtype;
  };
  struct Kernel {
    model::Slots parameters, buffers;
    model::ExtraState extra;
  };
  struct One {
    model::LayerPtr layer;
    int64_t index = 0, root = 0;
    bool mine = false;
    std::shared_ptr<model::QuantMethod> step;
    model::ParameterPtr weight;
    std::vector<Original> originals;
    int64_t slot = -1;             // the window that it was given last
    Pieces loaded, loaded_before;  // in this load and in the first one
    std::optional<Kernel> kernel;  // while a reload has taken them away
  };
  struct Window {
    at::Tensor memory;
    int64_t tenant = -1, version = 0;
    WorkPtr arrival;
    std::vector<c10::Event> readers;
  };

  bool is(RingWrong wrong) const { return wrong_ == wrong; }
  int64_t count() const { return static_cast<int64_t>(ones_.size()); }
  int64_t window_count() const { return static_cast<int64_t>(windows_.size()); }
  bool on_odd() const { return rank_ % 2 == 1; }
  One& at(int64_t offset) { return ones_[static_cast<size_t>(offset)]; }
  Window& window(int64_t slot) { return windows_[static_cast<size_t>(slot)]; }
  c10::Stream current() const;
  c10::Stream side();

  // Building.
  void gate(One& one, const std::string& slot, model::Parameter& handle);
  Status loads(One& one, const std::string& slot, bool is_weight, const model::LoadArgs& args, bool& here);
  Status try_elsewhere(const One& one, const model::Loader& loader, const model::Parameter& to, const at::Tensor& loaded,
                       const model::LoadArgs& args) const;
  void wrap_forward(const One& one);
  std::weak_ptr<PlainRing*>& registered(const std::string& path) const;
  Status check_alike() const;
  Status check_loaded() const;
  Status build();
  Status build_one(int64_t offset);
  void send_and_wait(One& one, const at::Tensor& weight);
  Status send_and_process(One& one, const at::Tensor& weight);
  void make_windows(const at::Tensor& processed);
  void settle_in(int64_t offset);
  int64_t unfilled() const;

  // Passes.
  Status in_series(int64_t index) const;
  Status may_read(int64_t offset) const;
  Status read_done(int64_t offset);
  void swap_bytes(int64_t slot);
  int64_t target_of(int64_t offset) const;
  int64_t slot_of(int64_t target);
  Status fetch(int64_t target, int64_t slot);
  Status issue(int64_t target, Window& into);
  WorkPtr send(One& one, std::vector<at::Tensor> tensors, bool async);
  void begin_pass();

  // Between passes.
  Status settle();
  Status settle_or_forget();
  Status refuse_capture();
  Status prime();
  Status commit();
  void move_windows();
  Status take_checkpoint(One& one);
  static void make_buffers(model::Layer& layer);
  void take_tensors_away(One& one);
  void tell_a_peer();

  RingWrong wrong_;
  bool fixed_;
  int rank_of_all_;
  model::SeriesContext context_;
  int64_t rank_, size_, ahead_;
  std::vector<One> ones_;
  std::vector<Window> windows_;
  int64_t next_ = 0, expected_ = 0, reached_ = -1, version_ = 1;
  bool loading_ = true, in_place_ = false, reloading_ = false, built_ = false, primed_by_reload_ = false, asleep_ = false;
  std::vector<std::pair<at::Tensor, at::Tensor>> saved_;  // asleep, where contents are lost: what is somewhere, and a copy on the host
  std::optional<c10::Stream> side_;
  std::optional<c10::Event> outside_;  // recorded at the last drain
  std::shared_ptr<PlainRing*> self_;   // null once it is gone
  // Of single mistakes.
  WorkPtr previous_;                                 // wait_of_previous
  std::optional<std::pair<int64_t, int64_t>> late_;  // late_on_odd: target and window
  std::vector<at::Tensor> kept_;                     // kept_storage, spare_window, committed_on_one
  at::Tensor room_;                                  // shared_room
};

}  // namespace reloadlab::mutants
