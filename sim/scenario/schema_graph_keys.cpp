// The rows of the table about graphs.
#include "sim/scenario/schema_parts.h"

namespace reloadlab::sim {

using namespace form;

std::vector<Key> graph_keys() {
  return {
      {.object = "step",
       .name = "capture",
       .forms = object,
       .about = "Without series: forwards go into graphs, one for each of `sizes`, with checksums of everything that layers hold. With "
                "series: they are drained, and a pass and another drain go into a graph; nothing is done yet. Passes whose windows are "
                "others each time cannot be captured: series have to be bound to them, or the windows to divide the layers.",
       .child = "capture",
       .group = "kind"},
      {.object = "step",
       .name = "replay",
       .forms = object,
       .about =
           "Replays the last graphs. With series: what is in flight, as behind a reload, has to be drained before; and a pass that has "
           "begun has to end, for in its middle windows hold later layers.",
       .child = "replay",
       .group = "kind"},
      {.object = "capture",
       .name = "sizes",
       .forms = integers,
       .about = "Without series: a graph for each number of tokens, captured in this order. 1 when absent.",
       .minimum = 1,
       .maximum = 4096},
      {.object = "capture",
       .name = "shared_pool",
       .forms = boolean,
       .about = "Without series: whether the graphs' temporaries share memory.",
       .fallback = "false"},
      {.object = "capture",
       .name = "mode",
       .forms = text,
       .about = "Without series: what other threads may do meanwhile: anything (`thread_local`), or nothing that a capture would be "
                "disturbed by (`global`). Modelled devices know no difference.",
       .fallback = "thread_local",
       .allowed = {"thread_local", "global"}},
      {.object = "replay",
       .name = "sizes",
       .forms = integers,
       .about = "Without series: which graphs, in this order; all as they were captured when absent.",
       .minimum = 1,
       .maximum = 4096},
  };
}

}  // namespace reloadlab::sim
