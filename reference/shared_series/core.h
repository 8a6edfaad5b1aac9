#pragma once
// The one implementation of series.h. Policies are looked at where they matter; what they mean stands in policy.h.
//
//   registration.cpp  SW1: takes layers over        pass.cpp    SW3, SW4: reach, wait, done
//   build.cpp         SW2: finish_loading           reload.cpp  drain, reset, reload
//   checkpoint.cpp    layers of a reload from a checkpoint
#include <c10/core/impl/VirtualGuardImpl.h>

#include <map>

#include "reference/shared_series/member.h"
#include "reference/shared_series/operation_log.h"
#include "reference/shared_series/ring.h"
#include "reference/shared_series/series.h"

namespace reloadlab::shared_series {

inline Status misuse(std::string message) { return {Code::misuse, std::move(message)}; }

class Series final : public SharedSeries {
 public:
  Series(const SeriesPolicy& policy, const model::SeriesContext& context);
  ~Series() override;
  Series(const Series&) = delete;
  Series& operator=(const Series&) = delete;

  Status register_layer(const model::LayerPtr& layer, LayerIndex index) override;
  Status finish_loading() override;
  Status reach(LayerIndex index) override;
  Status wait(LayerIndex index) override;
  Status done(LayerIndex index) override;
  Status drain() override;
  Status reset() override;
  Status begin_reload(Arrival arrival) override;
  Status reload() override;
  Status sleep(bool keeps_contents) override;
  Status wake() override;
  Status compare_sequences() override;

 private:
  // What hooks and loaders hold of the series: null once it is gone.
  using Self = std::shared_ptr<Series*>;

  bool checked() const { return policy_.order == Order::checked; }
  bool recovers() const { return policy_.recovery == Recovery::reset; }
  int64_t count() const { return static_cast<int64_t>(members_.size()); }
  SeriesOffset offset_of(LayerIndex index) const { return {index.value - members_.front().index.value}; }
  Member& at(SeriesOffset offset) { return members_[static_cast<size_t>(offset.value)]; }
  const Member& at(SeriesOffset offset) const { return members_[static_cast<size_t>(offset.value)]; }
  c10::Stream current() const { return device_.getStream(context_.device); }

  // Registration.
  Status check_registration(const model::LayerPtr& layer, LayerIndex index) const;
  void take_step(Member& member);
  void take_loaders(Member& member);
  void take_loader(Member& member, const std::string& slot, model::Parameter& handle);
  void take_forward(const Member& member);
  struct Load;
  Status take_load(LayerIndex index, const Load& load);

  // Building.
  Status check_members() const;
  Status check_first_load() const;
  Status follows(SeriesOffset offset) const;
  Status check_processed(const Member& member) const;
  Status build(SeriesOffset offset);
  Status process(Member& member, const at::Tensor& weight);
  at::Tensor wire_of(const at::Tensor& weight) const;
  void open_window(SeriesOffset offset);
  void plan();
  SeriesOffset target_of(SeriesOffset offset) const;

  // Passes.
  Status known(LayerIndex index) const;
  Status may_reach(SeriesOffset offset);
  Status readable(SeriesOffset offset) const;
  Window* window_of(SeriesOffset offset);
  Status fetch(SeriesOffset target, WindowSlot slot);
  Status end_pass();
  c10::intrusive_ptr<c10d::Work> broadcast(const Member& member, int64_t owner, std::vector<at::Tensor>& wire, bool async);
  std::vector<at::Tensor>& owned_wire(Member& member);

  // Recovery.
  Status may_recover(std::string_view call) const;
  Status refuse_capture();
  void forget();
  Status whole() const;  // the weights are of one version
  Status prime();

  // Reloads from a checkpoint.
  void open_layer(Member& member);
  void close_layer(Member& member);
  Status check_loads() const;
  Status take_checkpoint();
  Status commit(Member& member);
  static void commit_extra(Member& member);

  SeriesPolicy policy_;
  model::SeriesContext context_;
  int64_t rank_, size_, prefetch_;
  c10::impl::VirtualGuardImpl device_;
  Ring ring_;
  std::vector<Member> members_;                                              // in order of index once loading is finished
  std::map<const model::QuantMethod*, std::shared_ptr<TakenOver>> objects_;  // methods that were taken over
  at::Tensor room_;                                                          // seed: the first registered weight, for its shape
  enum class Phase { registering, running, unusable } phase_ = Phase::registering;
  SeriesOffset unfilled_{0};             // of the first k + 1 layers, the one that no window holds at the beginning of a pass
  SeriesOffset expected_{0};             // whose reach() is next
  std::optional<SeriesOffset> reached_;  // whose reach() was the last
  bool read_ = false;                    // and whether its forward has been done since
  int64_t version_ = 1;
  int64_t announced_ = 1;          // the version of the last reload that began, whatever became of it
  std::optional<Arrival> reload_;  // while one is open
  bool asleep_ = false;
  bool lost_ = false;  // contents were, in a sleep
  bool torn_ = false;  // a reload stopped between two layers
  Status stopped_;     // why nothing goes on before reset(), or before a reload
  std::shared_ptr<OperationLog> sequence_;
  std::vector<std::string> store_keys_;  // by rank
  Self self_;
};

}  // namespace reloadlab::shared_series
