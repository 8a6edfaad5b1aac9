#include "sim/explore/guide.h"

#include <algorithm>

#include "reference/base/check.h"

namespace reloadlab::sim::explore {

using modelled::ChoiceKind;
using modelled::Option;

Guide::Guide(std::vector<Node>& nodes, const DepthFirst& how, Cut& cut)
    : nodes_(nodes), how_(how), cut_(cut), fixed_(nodes.size()), live_(nodes.empty()) {}

size_t Guide::choose(ChoiceKind kind, std::span<const Option> options) {
  if (cut_ != Cut::none) return kind == ChoiceKind::next ? stop : 0;
  return next_ < fixed_ ? again(kind, options) : anew(kind, options);
}

size_t Guide::again(ChoiceKind kind, std::span<const Option> options) {
  const Node& node = nodes_[next_++];
  size_t index = node.index[node.taken];
  bool same = node.kind == kind && index < options.size() && (kind != ChoiceKind::next || options[index].actor == node.actor());
  RELOADLAB_CHECK(same, "the same choices give the same run");
  note(node);
  if (next_ == fixed_) {
    asleep_ = node.asleep;
    live_ = true;
  }
  return index;
}

size_t Guide::anew(ChoiceKind kind, std::span<const Option> options) {
  Node node{.kind = kind, .turn = turn_, .index = {}, .enabled = {}, .taken = 0, .to_do = {}, .asleep = asleep_, .footprint = {}};
  if (kind == ChoiceKind::next) {
    list_enabled(node, options);
    if (node.enabled.empty()) return end(Cut::asking);
    node.taken = first_awake(node);
    if (node.taken == node.enabled.size()) return end(Cut::redundant);
    if (!how_.reduced) node.to_do.insert(node.enabled.begin(), node.enabled.end());
  } else {
    for (uint32_t i = 0; i < options.size(); ++i) node.index.push_back(i);
  }
  note(node);
  nodes_.push_back(std::move(node));
  ++next_;
  return nodes_.back().index[nodes_.back().taken];
}

// Counts preemptions.
void Guide::note(const Node& node) {
  if (node.kind != ChoiceKind::next) return;
  chosen_ = true;
  bool could_go_on = std::find(node.enabled.begin(), node.enabled.end(), last_) != node.enabled.end();
  preemptions_ += could_go_on && node.actor() != last_;
}

void Guide::list_enabled(Node& node, std::span<const Option> options) const {
  auto goes_on = [this](const Option& option) { return option.actor == last_ && !option.asks_again; };
  bool used_up = how_.preemptions >= 0 && preemptions_ >= how_.preemptions;
  bool only_last = used_up && std::any_of(options.begin(), options.end(), goes_on);
  for (uint32_t i = 0; i < options.size(); ++i) {
    if (options[i].asks_again || (only_last && options[i].actor != last_)) continue;
    node.enabled.push_back(options[i].actor);
    node.index.push_back(i);
  }
}

// The last actor where it can go on, so that the first run has few changes.
size_t Guide::first_awake(const Node& node) const {
  auto awake = [this](ActorId actor) { return !asleep_.contains(actor); };
  auto last = std::find(node.enabled.begin(), node.enabled.end(), last_);
  if (last == node.enabled.end() || !awake(*last)) last = std::find_if(node.enabled.begin(), node.enabled.end(), awake);
  return static_cast<size_t>(last - node.enabled.begin());
}

size_t Guide::end(Cut cut) {
  cut_ = cut;
  return stop;
}

void Guide::took(int64_t number, const modelled::Turn& turn) {
  turn_ = number + 1;
  last_ = turn.actor;
  bool was_chosen = std::exchange(chosen_, false);
  if (!live_) return;
  // Where only a sleeper could go on there was no choice.
  if (!was_chosen && asleep_.contains(turn.actor)) cut_ = Cut::redundant;
  std::erase_if(asleep_, [&](const auto& sleeper) { return dependent(sleeper.second, turn.footprint); });
}

}  // namespace reloadlab::sim::explore
