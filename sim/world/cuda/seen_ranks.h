#pragma once
// What is seen of order where ranks play one after the other on one GPU: each by an Observer of its own, on a stream that is not the
// default one, which would wait for others by itself.
#include <c10/cuda/CUDAStream.h>

#include <functional>
#include <map>
#include <memory>

#include "sim/world/account.h"
#include "sim/world/cuda/observer.h"
#include "sim/world/devices.h"
#include "sim/world/world.h"

namespace reloadlab::sim::cuda {

class SeenRanks final : public SeenOrder {
 public:
  SeenRanks(const WorldRequest& request, c10::Device device);

  // The rank's work to its end; it is charged to the account.
  void run(int rank, const AccountPtr& account, const std::function<void(int rank)>& body);

  std::vector<SeenRace> races() const override;
  std::string unseen() const override;
  std::vector<DeviceStep> timeline() const override { return {}; }
  void label(About about) override;

 private:
  c10::cuda::CUDAStream stream_;
  std::map<int, std::unique_ptr<Observer>> observers_;  // by rank
  Observer* current_ = nullptr;                         // of the rank that plays
};

}  // namespace reloadlab::sim::cuda
