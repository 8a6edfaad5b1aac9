#include "sim/explore/depth_first.h"

#include <fmt/format.h>

#include <algorithm>

#include "reference/base/prng.h"
#include "sim/explore/guide.h"
#include "sim/explore/stopwatch.h"

namespace reloadlab::sim::explore {
namespace {

using modelled::ChoiceKind;
using modelled::Turn;

class Search {
 public:
  Search(const Program& program, const DepthFirst& how) : program_(program), how_(how) {}

  Coverage all(const std::function<bool(const Execution&)>& visit) {
    const Stopwatch watch;
    bool more = true, wanted = true;
    while (more && wanted && within_limits()) {
      Cut cut = Cut::none;
      size_t fixed = nodes_.size();
      Execution run = run_with(program_, std::make_unique<Guide>(nodes_, how_, cut));
      if (cut == Cut::asking) run.outcome.verdict = "hang: hosts only ask whether something is done, and nothing else can go on";
      ++coverage_.executions;
      learn(run, fixed);
      if (cut != Cut::redundant) {
        coverage_.traces.insert(trace_.mark());
        wanted = visit(run);
      }
      more = next();
      coverage_.seconds = watch.seconds();
    }
    coverage_.exhausted = !more;
    coverage_.cut_off = more && wanted;
    if (more && !wanted) coverage_.limit = "ended by its reader";
    return std::move(coverage_);
  }

 private:
  bool within_limits() {
    const Limits& limits = how_.limits;
    if (coverage_.executions >= limits.executions) coverage_.limit = fmt::format("{} executions", limits.executions);
    if (coverage_.seconds >= limits.seconds) coverage_.limit = fmt::format("{:.3g} s", limits.seconds);
    return coverage_.limit.empty();
  }

  // The turns since the last node that was there before, what they did, and the races that they end.
  void learn(const Execution& run, size_t fixed) {
    int64_t changed = fixed == 0 ? 0 : nodes_[fixed - 1].turn;
    trace_.truncate(changed);
    for (auto turn = static_cast<size_t>(changed); turn < run.turns.size(); ++turn) {
      trace_.push(run.turns[turn], values_of(static_cast<int64_t>(turn)));
      if (!how_.reduced) continue;
      if (Node* node = node_of(static_cast<int64_t>(turn))) keep(*node, run.turns[turn]);
      for (int64_t first : trace_.reversible(static_cast<int64_t>(turn))) reverse(first, static_cast<int64_t>(turn));
    }
  }

  void keep(Node& node, const Turn& turn) {
    node.footprint.add(turn.footprint);
    node.to_do.insert(node.actor());
    if (turn.takes_place) node.to_do.insert(node.enabled.begin(), node.enabled.end());
  }

  // Sees to it that the second turn comes before the first one in some run.
  void reverse(int64_t first, int64_t second) {
    Node* node = node_of(first);
    if (!node) return;  // nobody else could go on there
    std::vector<ActorId> initials = trace_.initials(first, second);
    auto covered = [&](ActorId actor) { return node->to_do.contains(actor) || node->asleep.contains(actor); };
    if (std::any_of(initials.begin(), initials.end(), covered)) return;
    auto enabled = [&](ActorId actor) { return std::find(node->enabled.begin(), node->enabled.end(), actor) != node->enabled.end(); };
    auto one = std::find_if(initials.begin(), initials.end(), enabled);
    if (one != initials.end()) node->to_do.insert(*one);
  }

  // Nodes are in the order of their turns; what the world chose during a turn comes behind the turn's own node.
  std::vector<Node>::iterator nodes_from(int64_t turn) {
    return std::lower_bound(nodes_.begin(), nodes_.end(), turn, [](const Node& node, int64_t wanted) { return node.turn < wanted; });
  }
  Node* node_of(int64_t turn) {
    for (auto node = nodes_from(turn); node != nodes_.end() && node->turn == turn; ++node)
      if (node->kind == ChoiceKind::next) return &*node;
    return nullptr;
  }
  uint64_t values_of(int64_t turn) {
    uint64_t values = 0;
    for (auto node = nodes_from(turn); node != nodes_.end() && node->turn == turn; ++node)
      if (node->kind != ChoiceKind::next) values = mix64(values + node->taken + 1);
    return values;
  }

  // Moves the deepest node that has something left to do; false where none has.
  bool next() {
    for (; !nodes_.empty(); nodes_.pop_back()) {
      Node& node = nodes_.back();
      if (node.kind == ChoiceKind::next ? next_actor(node) : ++node.taken < node.index.size()) return true;
    }
    return false;
  }
  bool next_actor(Node& node) {
    if (how_.reduced) node.asleep[node.actor()] = std::exchange(node.footprint, {});
    node.to_do.erase(node.actor());
    for (size_t i = 0; i < node.enabled.size(); ++i) {
      if (!node.to_do.contains(node.enabled[i]) || node.asleep.contains(node.enabled[i])) continue;
      node.taken = i;
      return true;
    }
    return false;
  }

  const Program& program_;
  DepthFirst how_;
  std::vector<Node> nodes_;
  Trace trace_;
  Coverage coverage_;
};

}  // namespace

Coverage depth_first(const Program& program, const DepthFirst& how, const std::function<bool(const Execution&)>& visit) {
  return Search(program, how).all(visit);
}

}  // namespace reloadlab::sim::explore
