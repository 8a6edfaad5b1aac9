#pragma once
// The chooser of a depth-first search: takes what the search's nodes say, and makes new ones beyond them.
#include <map>
#include <set>

#include "sim/explore/depth_first.h"

namespace reloadlab::sim::explore {

using Sleepers = std::map<ActorId, modelled::Footprint>;

struct Node {
  modelled::ChoiceKind kind = modelled::ChoiceKind::next;
  int64_t turn = 0;
  std::vector<uint32_t> index;   // options worth taking
  std::vector<ActorId> enabled;  // `next`: whose they are
  size_t taken = 0;              // into `index`
  std::set<ActorId> to_do;       // `next`
  Sleepers asleep;
  modelled::Footprint footprint;  // of the turn taken, whatever the world chose during it

  ActorId actor() const { return enabled[taken]; }
};

// How a guided run ended, but for coming to its own end.
enum class Cut {
  none,
  redundant,  // only sleepers could go on
  asking,     // hosts only ask what they were told is not so
};

class Guide final : public modelled::Chooser {
 public:
  Guide(std::vector<Node>& nodes, const DepthFirst& how, Cut& cut);
  size_t choose(modelled::ChoiceKind kind, std::span<const modelled::Option> options) override;
  bool watches() const override { return true; }
  void took(int64_t number, const modelled::Turn& turn) override;

 private:
  size_t again(modelled::ChoiceKind kind, std::span<const modelled::Option> options);
  size_t anew(modelled::ChoiceKind kind, std::span<const modelled::Option> options);
  void list_enabled(Node& node, std::span<const modelled::Option> options) const;
  size_t first_awake(const Node& node) const;
  size_t end(Cut cut);
  void note(const Node& node);

  std::vector<Node>& nodes_;
  DepthFirst how_;
  Cut& cut_;
  size_t fixed_;  // nodes that were there before
  size_t next_ = 0;
  int64_t turn_ = 0;  // the next one
  ActorId last_ = -1;
  int64_t preemptions_ = 0;
  Sleepers asleep_;
  bool live_;            // beyond the nodes that were there: sleepers are watched
  bool chosen_ = false;  // the turn that is being taken was a choice
};

}  // namespace reloadlab::sim::explore
