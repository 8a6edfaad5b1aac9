#include "sim/world/meeting_place.h"

#include <c10/util/Exception.h>

#include <torch/csrc/distributed/c10d/TCPStore.hpp>

namespace reloadlab::sim {
namespace {

class Store final : public MeetingPlace {
 public:
  Store()
      : store_(c10::make_intrusive<c10d::TCPStore>("127.0.0.1", c10d::TCPStoreOptions{.port = 0, .isServer = true, .waitWorkers = false})) {
  }
  int port() const override { return store_->getPort(); }

 private:
  c10::intrusive_ptr<c10d::TCPStore> store_;
};

}  // namespace

Result<std::unique_ptr<MeetingPlace>> open_meeting_place() {
  try {
    return std::unique_ptr<MeetingPlace>(std::make_unique<Store>());
  } catch (const std::exception& error) {
    return Status(Code::failed, error.what());
  }
}

}  // namespace reloadlab::sim
