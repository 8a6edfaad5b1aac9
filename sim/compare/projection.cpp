#include "sim/compare/projection.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace reloadlab::sim {
namespace {

constexpr std::string_view host = "host";

bool is_memory(EventKind kind) { return kind == EventKind::alloc || kind == EventKind::free; }
bool is_collective(EventKind kind) { return kind == EventKind::collective || kind == EventKind::captured; }

// Messages may name devices.
bool has_message(EventKind kind) {
  return kind == EventKind::step_end || kind == EventKind::load_end || kind == EventKind::reach_end || kind == EventKind::warning ||
         kind == EventKind::fault;
}

// Which operator writes is a matter of the device.
std::string_view told(const Event& event) {
  const bool writes = event.kind == EventKind::write_kernel || event.kind == EventKind::write_source;
  return std::string_view(event.text).substr(0, writes ? event.text.find(' ') : event.text.npos);
}

class Projector {
 public:
  Projector(const Evidence& evidence, const Execution& execution, size_t rank, const HasVersion& has_version)
      : evidence_(evidence), execution_(execution), run_(execution.ranks.at(rank)), rank_(rank), has_version_(has_version) {}

  void take(const Event& event) {
    if (is_memory(event.kind)) return;
    if (event.kind == EventKind::read) return read(event, run_.reads.at(static_cast<size_t>(event.value)));
    if (is_collective(event.kind)) return collective(event);
    std::string what = fmt::format("{}{}", event_name(event.kind), name_of(event.layer));
    if (event.numel) what += fmt::format(", {}", event.numel);
    if (!event.text.empty() && !has_message(event.kind)) what += fmt::format(", {}", told(event));
    add(std::string(host), std::move(what), event, event.kind == EventKind::lies ? event.value : -1);
    ++hosts_;
  }

  // Which copies go together, and so before others, is the device's matter too: writes behind one another have no order.
  std::vector<Done> done() {
    const auto writes = [](const Done& done) { return done.what.starts_with(event_name(EventKind::write_kernel)); };
    for (auto first = all_.begin(); first != all_.end();) {
      first = std::find_if(first, all_.end(), writes);
      const auto end = std::find_if_not(first, all_.end(), writes);
      size_t before = first == end ? 0 : first->host;
      std::ranges::sort(first, end, {}, &Done::what);
      for (; first != end; ++first) first->host = before++;
    }
    return std::move(all_);
  }

 private:
  std::string name_of(int layer) const { return layer < 0 ? "" : " " + evidence_.layers.at(static_cast<size_t>(layer)); }

  void read(const Event& event, const RankRun::Read& read) {
    const std::string path = fmt::format("{}.{}", evidence_.layers.at(static_cast<size_t>(read.layer)), read.slot);
    std::string what = fmt::format("read of {}", path);
    if (has_version_(read)) what += " at " + version_of(path, read);
    add(fmt::format("stream {}", read.stream), std::move(what), event, read.storage);
  }

  void collective(const Event& event) {
    const size_t of = event.text.rfind(" of ");
    const std::string group = of == std::string::npos ? event.text : event.text.substr(of + 4);
    std::string what = fmt::format("{}{}, {} bytes", event.kind == EventKind::captured ? "captured " : "", event.text, event.numel);
    if (event.layer >= 0) what += "," + name_of(event.layer);
    add("communicator " + group, std::move(what), event, event.value);
  }

  // The checkpoint whose cold load leaves these bytes, in the same world: that of the last load before, where several do.
  std::string version_of(const std::string& path, const RankRun::Read& read) const {
    if (!read.content) return "nothing";
    const std::string loaded = last_load(read.step);
    std::string fitting = "none of the checkpoints";
    for (const Execution& execution : evidence_.executions) {
      if (execution.variation.kind != Variation::Kind::cold || execution.ranks.size() <= rank_) continue;
      if (execution.ranks[rank_].censuses.empty()) continue;
      const CensusEntry* entry = execution.ranks[rank_].censuses.back().find(path);
      if (!entry || !entry->content || entry->content->bytes != read.content->bytes) continue;
      if (fitting.starts_with("none") || execution.variation.name == loaded) fitting = execution.variation.name;
    }
    return fitting;
  }

  std::string last_load(int before) const {
    std::string name;
    for (int step = 0; step < before && step < static_cast<int>(execution_.steps.size()); ++step)
      if (const std::string& loaded = execution_.steps[static_cast<size_t>(step)].plan.checkpoint; !loaded.empty()) name = loaded;
    return name;
  }

  void add(std::string lane, std::string what, const Event& event, int64_t storage) {
    const size_t index = in_lane_[lane]++;
    std::string place;
    if (storage >= 0) place = places_.try_emplace(storage, fmt::format("{}, {}", lane, index)).first->second;
    all_.push_back({std::move(lane), std::move(what), std::move(place), hosts_, event.step});
  }

  const Evidence& evidence_;
  const Execution& execution_;
  const RankRun& run_;
  size_t rank_;
  const HasVersion& has_version_;
  size_t hosts_ = 0;
  std::map<std::string, size_t> in_lane_;
  std::map<int64_t, std::string> places_;  // by storage
  std::vector<Done> all_;
};

}  // namespace

Projection project(const Evidence& evidence, const Execution& execution, size_t rank, int until, const HasVersion& has_version) {
  Projector projector(evidence, execution, rank, has_version);
  for (const Event& event : execution.ranks.at(rank).events)
    if (event.step < until) projector.take(event);
  Projection projection{.all = projector.done(), .lanes = {}, .places = {}};
  for (const Done& done : projection.all) {
    projection.lanes[done.lane].push_back(&done);
    if (!done.place.empty()) projection.places[done.place].push_back(&done);
  }
  return projection;
}

}  // namespace reloadlab::sim
