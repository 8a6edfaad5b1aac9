#pragma once
// Shared-weight series of a case, and the forward passes that read them. Layers are paths; ranges and globs of the file are resolved.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace reloadlab::sim {

inline constexpr int64_t series_index_max = 1 << 20;

struct SeriesSpec {
  std::string name;
  std::vector<std::string> layers;  // in the order of their indices
  int64_t first = 0;                // absolute index of the first layer, s; others follow it one by one
  std::vector<int64_t> indices;     // of each layer, where they do not follow one another
  int64_t prefetch = 1;             // how many layers ahead broadcasts are started, k
  std::string group = "all";        // the communicator; series that name the same one share it
  std::vector<int64_t> ranks;       // its members, ascending; empty: all ranks of the case

  int64_t index_at(size_t position) const { return indices.empty() ? first + static_cast<int64_t>(position) : indices[position]; }
  // Of the layer among the series' layers, -1 where it is none of them.
  int64_t position_of(const std::string& layer) const {
    for (size_t i = 0; i < layers.size(); ++i)
      if (layers[i] == layer) return static_cast<int64_t>(i);
    return -1;
  }
  // Absolute index of the layer, -1 where it is none of the series' layers.
  int64_t index_of(const std::string& layer) const {
    const int64_t position = position_of(layer);
    return position < 0 ? position : index_at(static_cast<size_t>(position));
  }
  bool has_rank(int64_t rank) const {
    for (int64_t each : ranks)
      if (each == rank) return true;
    return ranks.empty();
  }
  int64_t size(int64_t all_ranks) const { return ranks.empty() ? all_ranks : static_cast<int64_t>(ranks.size()); }
  // Of the group, where the layer of that index lives.
  int64_t owner(int64_t index, int64_t all_ranks) const { return index % size(all_ranks); }
  // The rank of the case that is this rank of the group.
  int64_t global(int64_t rank) const { return ranks.empty() ? rank : ranks[static_cast<size_t>(rank)]; }
};

// What a pass does otherwise than in order, at one layer.
enum class Deviation {
  until,          // the pass ends after it
  skip,           // it is neither reached nor read
  twice,          // it is reached and read, and so once more
  swap,           // it changes places with the layer of its series that follows it
  reach_twice,    // it is reached twice and read once
  unreached,      // it is read, and not reached
  early,          // it is reached before the layer of its series that precedes it is read
  bypass,         // its weight is read without its forward
  second_reader,  // it is read once more, on a stream that branches off before its forward
  sync,           // the host waits for its device behind it
};

// One forward pass: layer by layer in the model's order, those of series are reached, and read by their forward.
struct Pass {
  struct At {
    Deviation deviation;
    std::string layer;
    bool operator==(const At&) const = default;
  };
  std::vector<At> deviations;  // by kind, then in the model's order
  // Where forwards of series run: on the stream on which they are reached, or on another one that waits for it; which is then waited for
  // after each forward, or only when the pass ends.
  enum class Stream { current, joined, unjoined } stream = Stream::current;
  std::vector<int64_t> ranks;  // who passes; empty: all
  // A rank that does nothing any more after the layer, in this step and in those that follow.
  struct Lost {
    int64_t rank = 0;
    std::string after;
  };
  std::optional<Lost> lost;

  bool deviates(Deviation deviation, const std::string& layer) const {
    for (const At& each : deviations)
      if (each.deviation == deviation && each.layer == layer) return true;
    return false;
  }
  bool has_rank(int64_t rank) const {
    for (int64_t each : ranks)
      if (each == rank) return true;
    return ranks.empty();
  }
};

// What things take on devices where nothing else takes any time. Nanoseconds; one number for all layers of series, or one for each layer
// in the model's order.
struct Timing {
  int64_t broadcast = 0;
  std::vector<int64_t> before{0};  // compute of a layer between its reach and its wait
  std::vector<int64_t> after{0};   // and behind its wait
  std::vector<int64_t> slow{0};    // what each rank takes longer for each layer, behind its wait
  int64_t before_of(size_t layer) const { return before[layer % before.size()]; }
  int64_t after_of(size_t layer, int64_t rank) const { return after[layer % after.size()] + slow[static_cast<size_t>(rank) % slow.size()]; }
};

// What brings new weights to a model with series.
enum class Via {
  series,     // the series' own way: its layers only
  layerwise,  // a reload of the whole model that knows nothing of series
};

}  // namespace reloadlab::sim
