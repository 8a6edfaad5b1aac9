#include "sim/scenario/visits.h"

#include <algorithm>

namespace reloadlab::sim {
namespace {

struct Place {
  size_t series;
  std::string layer;
  int64_t index;
};

class PassWriter {
 public:
  PassWriter(const Case& the_case, const Pass& pass, int64_t rank) : case_(the_case), pass_(pass), rank_(rank) {}

  std::vector<Visit> write() {
    if (!pass_.has_rank(rank_)) return {};
    lay_out();
    for (size_t at = 0; at < places_.size() && !lost_; ++at) {
      visit(at);
      if (deviates(Deviation::twice, at) && !lost_) visit(at);
      if (deviates(Deviation::until, at)) break;
    }
    return std::move(visits_);
  }

 private:
  void lay_out() {
    for (const model::LayerSpec& layer : case_.model.layers)
      for (size_t series = 0; series < case_.series.size(); ++series) {
        const SeriesSpec& spec = case_.series[series];
        const int64_t index = spec.index_of(layer.name);
        if (index >= 0 && spec.has_rank(rank_)) places_.push_back({series, layer.name, index});
      }
    for (const Pass::At& each : pass_.deviations)
      if (each.deviation == Deviation::swap) swap(each.layer);
    std::erase_if(places_, [&](const Place& place) { return pass_.deviates(Deviation::skip, place.layer); });
    for (const Pass::At& each : pass_.deviations)
      if (each.deviation == Deviation::until && std::ranges::find(places_, each.layer, &Place::layer) == places_.end())
        std::erase_if(places_, [&](const Place& place) { return stands_behind(place.layer, each.layer); });
  }

  // In the model's order, which the whole pass has where the rank does not pass the layer itself.
  bool stands_behind(const std::string& layer, const std::string& last) const {
    const auto at = [&](const std::string& name) { return std::ranges::find(case_.model.layers, name, &model::LayerSpec::name); };
    return at(layer) > at(last);
  }

  void swap(const std::string& layer) {
    const auto found = std::ranges::find(places_, layer, &Place::layer);
    if (found == places_.end()) return;
    const auto at = static_cast<size_t>(found - places_.begin());
    std::swap(places_[at], places_[neighbour(at, 1)]);
  }

  bool deviates(Deviation deviation, size_t at) const { return pass_.deviates(deviation, places_[at].layer); }

  // The next place of the same series in that direction; the place itself where there is none.
  size_t neighbour(size_t at, int direction) const {
    for (size_t other = at + static_cast<size_t>(direction); other < places_.size(); other += static_cast<size_t>(direction))
      if (places_[other].series == places_[at].series) return other;
    return at;
  }

  void add(Visit::Act act, size_t at) { visits_.push_back({act, places_[at].series, places_[at].layer, places_[at].index}); }

  void visit(size_t at) {
    if (!deviates(Deviation::unreached, at) && !(deviates(Deviation::early, at) && neighbour(at, -1) != at)) reach(at);
    if (const size_t next = neighbour(at, 1); next != at && deviates(Deviation::early, next)) reach(next);
    add(deviates(Deviation::bypass, at) ? Visit::Act::bypass : Visit::Act::read, at);
    if (deviates(Deviation::second_reader, at)) add(Visit::Act::second_read, at);
    if (deviates(Deviation::sync, at)) add(Visit::Act::sync, at);
    if (pass_.lost && pass_.lost->rank == rank_ && pass_.lost->after == places_[at].layer) {
      add(Visit::Act::lose, at);
      lost_ = true;
    }
  }

  void reach(size_t at) {
    add(Visit::Act::reach, at);
    if (deviates(Deviation::reach_twice, at)) add(Visit::Act::reach, at);
  }

  const Case& case_;
  const Pass& pass_;
  int64_t rank_;
  std::vector<Place> places_;
  std::vector<Visit> visits_;
  bool lost_ = false;
};

}  // namespace

std::vector<Visit> visits(const Case& the_case, const Pass& pass, int64_t rank) { return PassWriter(the_case, pass, rank).write(); }

}  // namespace reloadlab::sim
