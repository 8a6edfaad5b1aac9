// The rows of the table about shared-weight series: which layers they are, and what passes do.
#include "sim/scenario/schema_parts.h"
#include "sim/scenario/spelling.h"

namespace reloadlab::sim {

using namespace form;

namespace {

std::string_view about(Deviation deviation) {
  switch (deviation) {
    case Deviation::until:
      return "The pass ends after this layer.";
    case Deviation::skip:
      return "Neither reached nor read.";
    case Deviation::twice:
      return "Reached and read, and then once more.";
    case Deviation::swap:
      return "Changes places with the layer of its series that follows it.";
    case Deviation::reach_twice:
      return "Reached twice, read once.";
    case Deviation::unreached:
      return "Read, though nobody reached it.";
    case Deviation::early:
      return "Reached before the layer of its series that precedes it is read.";
    case Deviation::bypass:
      return "Its weight is read without its forward, as fused operators do.";
    case Deviation::second_reader:
      return "Read once more, on a stream of its own that branches off before the forward.";
    case Deviation::sync:
      return "The host waits for its device behind it.";
  }
  return {};
}

std::vector<Key> spec_keys() {
  return {
      {.object = "scenario",
       .name = "series",
       .forms = objects,
       .about = "Shared-weight series of the model. Needs a world with devices; ranks hold layers whole, unless `tensor_parallel` says "
                "otherwise.",
       .child = "series"},
      {.object = "scenario",
       .name = "models",
       .forms = integer,
       .about =
           "With series: so many such models live in each rank's process, each with series of its own. Steps are done by one after the "
           "other.",
       .fallback = "1",
       .minimum = 1,
       .maximum = 16},
      {.object = "series", .name = "name", .forms = text, .about = "Its name.", .required = true, .pattern = Pattern::word},
      {.object = "series",
       .name = "layers",
       .forms = text | texts,
       .about = "Its layers, in the order of their indices.",
       .required = true,
       .pattern = Pattern::names},
      {.object = "series",
       .name = "first",
       .forms = integer,
       .about = "Absolute index of the first layer; a layer lives on the rank of the group that is its index modulo the group's size.",
       .fallback = "0",
       .maximum = series_index_max},
      {.object = "series",
       .name = "indices",
       .forms = integers,
       .about = "Absolute index of each layer, instead of `first`, where they do not follow one another.",
       .maximum = series_index_max},
      {.object = "series",
       .name = "prefetch",
       .forms = integer,
       .about = "How many layers ahead broadcasts are started: there is one window more.",
       .fallback = "1",
       .maximum = 1 << 20},
      {.object = "series",
       .name = "group",
       .forms = text,
       .about = "The communicator; series that name the same one share it.",
       .fallback = "all",
       .pattern = Pattern::word},
      {.object = "scenario",
       .name = "timing",
       .forms = object,
       .about = "What things take, for `ring_overwait`: nothing else takes any time then. Devices of today when absent, and the law has "
                "nothing to judge.",
       .child = "timing"},
      {.object = "timing",
       .name = "broadcast",
       .forms = integer,
       .about = "Nanoseconds of one broadcast.",
       .required = true,
       .maximum = 1 << 30},
      {.object = "timing",
       .name = "before",
       .forms = integer | integers,
       .about =
           "Nanoseconds of compute of a layer of series between its reach and its wait; a list has one number for each, in the model's "
           "order.",
       .fallback = "0",
       .maximum = 1 << 30},
      {.object = "timing",
       .name = "after",
       .forms = integer | integers,
       .about = "The same behind its wait.",
       .fallback = "0",
       .maximum = 1 << 30},
      {.object = "timing",
       .name = "slow",
       .forms = integer | integers,
       .about = "Nanoseconds that ranks take longer for each layer, behind its wait; a list has one number for each rank.",
       .fallback = "0",
       .maximum = 1 << 30},
      {.object = "series",
       .name = "ranks",
       .forms = integers,
       .about = "The ranks that share, ascending; all when absent.",
       .maximum = 4095},
  };
}

std::vector<Key> series_step_keys() {
  return {
      {.object = "step",
       .name = "pass",
       .forms = object,
       .about = "A forward pass: in the model's order, layers of series are reached and then read by their forward.",
       .child = "pass",
       .group = "kind"},
      {.object = "step",
       .name = "update_owner",
       .forms = text,
       .about = "Owners' weights are overwritten in place with a checkpoint's, processed, and no series is told.",
       .group = "kind",
       .pattern = Pattern::word},
      {.object = "step", .name = "drain", .forms = object, .about = "Every series is drained.", .child = "nothing", .group = "kind"},
      {.object = "step",
       .name = "reset",
       .forms = object,
       .about = "Every series begins anew at its first layer.",
       .child = "nothing",
       .group = "kind"},
      {.object = "step",
       .name = "host_sync",
       .forms = object,
       .about = "Hosts wait for their devices.",
       .child = "nothing",
       .group = "kind"},
  };
}

std::vector<Key> reload_keys() {
  return {
      {.object = "reload",
       .name = "via",
       .forms = text,
       .about = "With series: their own way, which brings the layers of series only; or a layerwise reload of the whole model, which knows "
                "nothing of them.",
       .fallback = "series",
       .allowed = {"series", "layerwise"}},
      {.object = "reload",
       .name = "in_place",
       .forms = boolean,
       .about = "With series: owners' weights are overwritten with processed ones, and no loader is called.",
       .fallback = "false"},
  };
}

}  // namespace

std::vector<Key> series_keys() { return spec_keys(); }

std::vector<Key> pass_keys() {
  std::vector<Key> keys = series_step_keys();
  for (Key& key : graph_keys()) keys.push_back(std::move(key));
  for (Key& key : reload_keys()) keys.push_back(std::move(key));
  for (const auto& [deviation, word] : deviation_spellings)
    keys.push_back({.object = "pass",
                    .name = std::string(word),
                    .forms = text | texts,
                    .about = std::string(about(deviation)),
                    .fallback = "[]",
                    .pattern = Pattern::names});
  keys.push_back({.object = "pass",
                  .name = "stream",
                  .forms = text,
                  .about =
                      "Where forwards of series run: on the `current` stream, on which layers are reached; or on another one that waits "
                      "for it, and is waited for after each forward (`joined`) or only when the pass ends (`unjoined`).",
                  .fallback = "current",
                  .allowed = {"current", "joined", "unjoined"}});
  keys.push_back({.object = "pass", .name = "ranks", .forms = integers, .about = "Who passes; all when absent.", .maximum = 4095});
  keys.push_back({.object = "pass", .name = "lost", .forms = object, .about = "A rank that is lost in the pass.", .child = "lost"});
  keys.push_back({.object = "lost", .name = "rank", .forms = integer, .about = "The rank.", .required = true, .maximum = 4095});
  keys.push_back({.object = "lost",
                  .name = "after",
                  .forms = text,
                  .about = "The layer after which it does nothing any more.",
                  .required = true,
                  .pattern = Pattern::names});
  return keys;
}

}  // namespace reloadlab::sim
