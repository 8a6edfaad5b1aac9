#include "sim/world/cuda/seen_ranks.h"

#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>

#include "sim/world/cuda/ledger.h"
#include "sim/world/order/seen_races.h"

namespace reloadlab::sim::cuda {

SeenRanks::SeenRanks(const WorldRequest& request, c10::Device device)
    : stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index())) {
  for (const int rank : request.local) {
    const auto no_communicator = [](Handle) { return std::string(); };
    auto& observer = observers_[rank] = std::make_unique<Observer>(device.index(), no_communicator);
    if (request.delays) observer->delay(Delays(*request.delays, rank, /*collectives=*/false));
  }
}

void SeenRanks::run(int rank, const AccountPtr& account, const std::function<void(int)>& body) {
  const c10::cuda::CUDAStreamGuard stream(stream_);
  Observer& observer = *observers_.at(rank);
  const Observer::Watching watching(observer);
  const Charged charged(account, &observer);
  current_ = &observer;
  body(rank);
  c10::cuda::device_synchronize();
}

std::vector<SeenRace> SeenRanks::races() const {
  std::vector<SeenRace> all;
  for (const auto& [rank, observer] : observers_) {
    const std::vector<SeenRace> own = seen_races(
        observer->order().races(), [rank = rank](ActorId) { return rank; },
        [&order = observer->order()](ActorId actor) { return order.name_of(actor); });
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

std::string SeenRanks::unseen() const {
  for (const auto& [rank, observer] : observers_)
    if (std::string why = observer->unseen(); !why.empty()) return why;
  return {};
}

void SeenRanks::label(About about) {
  if (current_) current_->order().label(std::move(about));
}

}  // namespace reloadlab::sim::cuda
