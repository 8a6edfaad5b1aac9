#pragma once
// Ranks as threads on modelled devices: rank r's tensors live on one of the machine's devices, its kernels run when their stream
// executes, and the machine's schedule decides who goes on. What a rank reads too early is poison, or what was there before. For `meta`
// the same without bytes: order, addresses and accounts are those of `sim`.
#include "sim/world/modelled/group.h"
#include "sim/world/modelled/machine.h"
#include "sim/world/modelled/store.h"
#include "sim/world/modelled/weight_pool.h"
#include "sim/world/world.h"

namespace reloadlab::sim::modelled {

class ModelledWorld final : public World, public Devices {
 public:
  // Throws c10::Error where another machine is alive. `stores`: those that the world gives to its ranks.
  ModelledWorld(const WorldRequest& request, std::unique_ptr<Chooser> chooser, Stores stores = Stores::visible);
  WorldKind kind() const override { return has_bytes() ? WorldKind::sim : WorldKind::meta; }
  int ranks() const override { return ranks_; }
  const std::vector<int>& local_ranks() const override { return local_; }
  c10::Device device(int rank) const override;
  bool has_bytes() const override { return machine_.config().bytes; }
  // A body that throws, or that never ends, is thrown here again, with what everybody waited for.
  void each_rank(const std::function<void(int rank)>& body) override;
  at::Tensor sum(const std::vector<at::Tensor>& local_partials) override;
  AccountPtr account(int rank) const override;
  std::string broken() const override;
  Devices* devices() override { return this; }
  WeightPool* weight_pool(int rank) override { return &pools_[static_cast<size_t>(index_of(rank))]; }

  Ended run(const std::function<void(int rank)>& body, bool open) override;
  void apart(const std::function<void()>& doings) override;
  c10::intrusive_ptr<c10d::ProcessGroup> group(const std::string& name, const std::vector<int64_t>& ranks) override;
  c10::intrusive_ptr<c10d::Store> store(const std::string& name) override;
  std::unique_ptr<DeviceGraph> make_graph(const GraphOptions& options) override;
  at::Tensor read(const at::Tensor& tensor) override;
  at::Tensor bytes_now(const at::Tensor& tensor) const override;
  std::vector<SeenRace> races() const override;
  std::vector<DeviceStep> timeline() const override;
  void label(About about) override { machine_.set_label(std::move(about)); }
  void spend(int64_t picoseconds) override;
  bool takes_times() const override { return takes_times_; }
  int64_t mark() override;
  int64_t time_of(int64_t mark) const override;

  const Machine& machine() const { return machine_; }

 private:
  int index_of(int rank) const;  // of its device
  int ranks_;
  GroupMode mode_;
  std::vector<int> local_;
  Stores stores_;
  bool takes_times_;
  mutable Machine machine_;
  std::vector<ModelledWeightPool> pools_;  // by device
  std::vector<PointPtr> marks_;
};

}  // namespace reloadlab::sim::modelled
