#pragma once
// The harness's eyes on one rank while a candidate works: every operator (through the harness's tap), every post-load step, every
// loader call, every hint of the candidate. It writes the trace, and it is where faults are injected, at the nth chance of their kind.
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "reference/model/layer.h"
#include "reference/model/observer.h"
#include "reference/model/post_load.h"
#include "reference/model/tap/tap.h"
#include "sim/evidence/evidence.h"
#include "sim/replay/catalogue.h"
#include "sim/replay/copy_count.h"

namespace reloadlab::sim {

// Chances of each kind that a step offered: what a fault can be aimed at.
struct Chances {
  int64_t loader = 0, post_load_enter = 0, post_load_middle = 0, copy_back = 0, source = 0;
};

class Watch final : public model::OpListener, public model::PostLoadListener, public model::LoaderListener, public model::Observer {
 public:
  Watch(const Catalogue& catalogue, RankRun& run) : catalogue_(catalogue), run_(run) {}

  void at_step(int step, const std::optional<Fault>& fault);
  void at_load(int load) { load_ = load; }
  // From here on, writes into the storages of the model's tensors are kernel writes, until ignore_kernels(). A slot that an earlier
  // update left on a placeholder has the kernel tensor that it had before that update.
  void remember_kernels(const model::Model& model);
  void ignore_kernels() { kernels_.clear(), sources_.clear(); }
  // Writes into what was handed over are seen, until ignore_kernels().
  void handed_over(const at::Tensor& loaded, const std::string& delivery);
  void event(EventKind kind, int layer = -1, int64_t numel = 0, std::string text = {}, int64_t value = 0);
  int64_t take_operators() { return std::exchange(operators_, 0); }            // that ran since the last call
  Copied take_copies() { return copies_.take(); }                              // likewise
  bool source_fails() { return strikes(Fault::At::source, chances_.source); }  // asked before each load call
  const Chances& chances() const { return chances_; }
  // Called with each event as it is noted; may be empty.
  std::function<void(const Event&)> on_event;
  // Called with a layer at the entry of each of its post-load steps; may be empty.
  std::function<void(const model::Layer&)> on_post_load;

  void before(const c10::OperatorHandle& op, const torch::jit::Stack& stack) override;
  void after(const c10::OperatorHandle& op, const torch::jit::Stack& stack) override { copies_.after(op, stack); }
  Status enter(model::Layer& layer) override;
  Status middle(model::Layer& layer) override;
  void leave(model::Layer& layer, const Status& outcome) override;
  Status leave(const model::Loader& loader, model::Parameter& destination, const Status& outcome) override;
  void on(const model::EngineEvent& event) override;

 private:
  bool strikes(Fault::At at, int64_t& chance);
  void wrote(const c10::OperatorHandle& op, const at::Tensor& target);

  struct Kernel {
    int layer;
    std::string slot;
    int64_t item_bytes = 1;  // of the slot's tensor: an operator may write it as something else
  };
  const Catalogue& catalogue_;
  RankRun& run_;
  int step_ = -1, load_ = -1;
  std::optional<Fault> fault_;
  Chances chances_;
  int64_t operators_ = 0;
  CopyCount copies_;
  std::unordered_map<int64_t, std::vector<Kernel>> kernels_;  // by allocation serial; looked up only
  std::unordered_map<int64_t, std::string> sources_;          // deliveries by allocation serial; looked up only
  std::map<std::pair<int, std::string>, int64_t> kernel_of_;  // (layer, slot) → allocation serial, as last seen at rest
};

}  // namespace reloadlab::sim
