#include "sim/world/meeting_place.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <chrono>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
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

// What LibTorch throws, as a status.
template <class Ask>
auto asked(Ask ask) -> decltype(ask()) {
  try {
    return ask();
  } catch (const c10::Error& error) {
    return Status(Code::failed, error.what_without_backtrace());
  } catch (const std::exception& error) {
    return Status(Code::failed, error.what());
  }
}

class StoreBoard final : public Board {
 public:
  explicit StoreBoard(c10::intrusive_ptr<c10d::Store> store) : store_(std::move(store)) {}

  Status put(const std::string& name, const std::string& value) override {
    return asked([&]() -> Status {
      store_->set(name, std::vector<uint8_t>(value.begin(), value.end()));
      return {};
    });
  }

  Result<std::optional<std::string>> look(const std::string& name) override {
    return asked([&]() -> Result<std::optional<std::string>> {
      if (!store_->check({name})) return std::optional<std::string>();
      const std::vector<uint8_t> value = store_->get(name);
      return std::optional(std::string(value.begin(), value.end()));
    });
  }

  Result<std::optional<std::string>> take(const std::string& name) override {
    RELOADLAB_ASSIGN(std::optional<std::string> value, look(name));
    if (!value) return value;
    return asked([&]() -> Result<std::optional<std::string>> {
      store_->deleteKey(name);
      return std::move(value);
    });
  }

 private:
  c10::intrusive_ptr<c10d::Store> store_;
};

}  // namespace

Result<std::unique_ptr<MeetingPlace>> open_meeting_place() {
  return asked([]() -> Result<std::unique_ptr<MeetingPlace>> { return std::unique_ptr<MeetingPlace>(std::make_unique<Store>()); });
}

Result<std::unique_ptr<Board>> open_board(const Launch& launch, double seconds) {
  const c10d::TCPStoreOptions options{.port = static_cast<uint16_t>(launch.port),
                                      .isServer = launch.rank == 0 && !launch.is_open,
                                      .waitWorkers = false,
                                      .timeout = std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000))};
  auto opened = asked([&]() -> Result<c10::intrusive_ptr<c10d::Store>> {
    return c10::intrusive_ptr<c10d::Store>(c10::make_intrusive<c10d::TCPStore>(launch.host, options));
  });
  if (!opened.ok()) return opened.status().within(fmt::format("the store at {}:{}", launch.host, launch.port));
  auto own = c10::make_intrusive<c10d::PrefixStore>("reloadlab" + launch.attempt, *std::move(opened));
  return std::unique_ptr<Board>(std::make_unique<StoreBoard>(std::move(own)));
}

}  // namespace reloadlab::sim
