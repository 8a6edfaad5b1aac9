#include "sim/world/modelled/store.h"

#include <algorithm>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "sim/world/modelled/machine.h"
#include "sim/world/modelled/rendezvous.h"

namespace reloadlab::sim::modelled {
namespace {

using Bytes = std::vector<uint8_t>;

class ModelledStore final : public c10d::Store {
 public:
  ModelledStore(std::string name, Stores calls)
      : name_(std::move(name)), calls_(calls), state_(Machine::required().rendezvous().store(name_)) {}
  c10::intrusive_ptr<c10d::Store> clone() override { return c10::make_intrusive<ModelledStore>(name_, calls_); }
  using c10d::Store::set;

  void set(const std::string& key, const Bytes& value) override {
    access(key, true);
    put(key, value);
  }
  Bytes compareSet(const std::string& key, const Bytes& current, const Bytes& wanted) override {
    access(key, true);
    auto found = state_->values.find(key);
    if (found == state_->values.end() ? current.empty() : found->second == current) put(key, wanted);
    found = state_->values.find(key);
    return found == state_->values.end() ? current : found->second;
  }
  Bytes get(const std::string& key) override {
    wait({key}, timeout_);
    access(key, false);
    return state_->values[key];
  }
  // Sums are text, as in the other stores.
  int64_t add(const std::string& key, int64_t value) override {
    access(key, true);
    const Bytes& before = state_->values[key];
    int64_t sum = value + (before.empty() ? 0 : std::stoll(std::string(before.begin(), before.end())));
    std::string text = std::to_string(sum);
    put(key, Bytes(text.begin(), text.end()));
    return sum;
  }
  bool deleteKey(const std::string& key) override {
    access(key, true);
    state_->present.erase(key);
    return state_->values.erase(key) > 0;
  }
  // One request, as to a store that others serve: nobody comes between its keys.
  bool check(const std::vector<std::string>& keys) override {
    if (!keys.empty()) read(keys);
    return has_all(keys);
  }
  bool hasExtendedApi() const override { return true; }
  std::vector<Bytes> multiGet(const std::vector<std::string>& keys) override {
    if (!keys.empty()) read(keys);
    if (!has_all(keys)) wait(keys, timeout_);
    std::vector<Bytes> all;
    all.reserve(keys.size());
    for (const std::string& key : keys) all.push_back(state_->values[key]);
    return all;
  }
  void multiSet(const std::vector<std::string>& keys, const std::vector<Bytes>& values) override {
    TORCH_CHECK(keys.size() == values.size(), "one value for each key");
    for (size_t i = 0; i < keys.size(); ++i) set(keys[i], values[i]);
  }
  int64_t getNumKeys() override {
    access("*", false);
    return static_cast<int64_t>(state_->values.size());
  }
  void wait(const std::vector<std::string>& keys) override { wait(keys, timeout_); }
  void wait(const std::vector<std::string>& keys, const std::chrono::milliseconds& timeout) override {
    for (const std::string& key : keys) {
      const PointPtr point = present(key);
      if (calls_ == Stores::quiet && point->done) {
        Machine::required().host_joins(*point);
        continue;
      }
      if (Machine::required().host_wait_for(point, timeout)) continue;
      C10_THROW_ERROR(DistStoreError, fmt::format("no key '{}' in the store {} after {} ms", key, name_, timeout.count()));
    }
  }

 private:
  void read(const std::vector<std::string>& keys) {
    if (calls_ == Stores::quiet) return;
    std::vector<Footprint::Key> read;
    const size_t told = Machine::required().is_watched() ? keys.size() : 1;
    for (size_t i = 0; i < told; ++i) read.push_back({fmt::format("key {} of store {}", keys[i], name_), false});
    Machine::required().host_access(std::move(read));
  }
  bool has_all(const std::vector<std::string>& keys) const {
    return std::all_of(keys.begin(), keys.end(), [this](const std::string& key) { return state_->values.contains(key); });
  }
  // Who counts keys sees every change.
  void access(const std::string& key, bool write) {
    if (calls_ == Stores::quiet) return;
    std::vector<Footprint::Key> keys = {{fmt::format("key {} of store {}", key, name_), write}};
    if (write) keys.push_back({fmt::format("key * of store {}", name_), write});
    Machine::required().host_access(std::move(keys));
  }
  void put(const std::string& key, const Bytes& value) {
    state_->values[key] = value;
    PointPtr point = present(key);
    if (!point->done) Machine::required().host_marks(*point);
  }
  PointPtr present(const std::string& key) {
    PointPtr& point = state_->present[key];
    if (!point) {
      point = std::make_shared<Point>();
      point->name = named(fmt::format("key '{}' of store {}", key, name_));
    }
    return point;
  }

  std::string name_;
  Stores calls_;
  std::shared_ptr<StoreState> state_;
};

}  // namespace

c10::intrusive_ptr<c10d::Store> make_store(const std::string& name, Stores calls) {
  return c10::make_intrusive<ModelledStore>(name, calls);
}

}  // namespace reloadlab::sim::modelled
