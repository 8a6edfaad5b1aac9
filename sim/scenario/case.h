#pragma once
// One case: a scenario with everything drawn and resolved, as plain data. A scenario file expands into a list of these
// (scenario.h); replay runs one; emit() writes one back as a scenario file with exactly this case.
#include <optional>
#include <string>
#include <vector>

#include "reference/base/scalar.h"
#include "reference/model/spec.h"
#include "sim/scenario/position.h"
#include "sim/scenario/series.h"

namespace reloadlab::sim {

enum class WorldKind { cpu, meta, sim, cuda };
std::string_view world_name(WorldKind kind);
std::optional<WorldKind> world_from_name(std::string_view name);

struct CheckpointSpec {
  enum class Source { synthetic, safetensors, perturbed };
  Source source = Source::synthetic;
  uint64_t seed = 0;  // synthetic, perturbed
  std::string path;   // safetensors: file or folder, absolute: the scenario's folder and ${CACHE} are resolved
  std::string map;    // safetensors: name map ("bert"), empty: names as they are
  std::string base;   // perturbed: the checkpoint whose every tensor is changed
  Position at;        // in the scenario file, for messages
};

enum class OrderKind { listed, by_layer, reversed, shuffled, interleaved, explicit_list };

// How a checkpoint is delivered. Tensors are delivery names: ranges, globs and slot names of the file are resolved.
struct LoadPlan {
  std::string checkpoint;  // "B"
  OrderKind order = OrderKind::listed;
  uint64_t order_seed = 0;              // shuffled
  std::vector<std::string> order_list;  // explicit_list: delivery names, every delivered name exactly once
  int64_t chunk = 0;                    // > 0: the transport hands over this many tensors at a time, as views of one buffer
  bool reuses = true;                   // with chunk: it fills that buffer again for the next chunk; false: each chunk has its own
  int64_t batch = 0;                    // > 0: handles are looked up again after this many loads; with resolve=loads_begin only
  struct Repeat {
    std::string tensor;
    int64_t times = 2;
  };  // times in a row, at the tensor's place in the order
  std::vector<Repeat> repeat;
  bool direct = false;            // the first load: values go straight into the parameters, and no loader is called
  std::vector<std::string> only;  // non-empty: deliver these only
  std::vector<std::string> omit;
  std::vector<std::string> excess;   // delivered once more, after everything else
  std::vector<std::string> unknown;  // names that no layer takes, delivered after everything else
  struct Wrong {
    std::string tensor;
    std::optional<Shape> shape;
    std::optional<DType> dtype;
  };
  std::vector<Wrong> wrong;    // delivered with this shape or dtype instead
  std::optional<DType> dtype;  // floating-point tensors arrive in this element type, which holds all their values
  // Where it comes from: this process, which makes it on the current stream's behalf; the same on a stream of the transport's own, whose
  // memory it is; or memory of another process.
  enum class Source { local, stream, ipc } source = Source::local;
  // ipc, once the loads of a chunk (of a tensor, without chunks) have returned: it is taken away, or filled again.
  enum class Handle { closed, reused } handle = Handle::reused;
  // Its bytes may change after the load call, whoever holds the tensor.
  bool transport_owns() const { return source == Source::ipc || (chunk > 0 && reuses); }
  // How what arrives lies in memory: row by row, every second element of each row, column by column, or behind something else.
  enum class Layout { dense, strided, transposed, offset } layout = Layout::dense;
  // When parameter handles are looked up: once as a batch of loads begins (what engines' load_weights does), for each load, or
  // before the update begins.
  enum class Resolve { loads_begin, each_load, before_prepare } resolve = Resolve::loads_begin;
};

// A fault that the harness injects, once: at the nth (from 0) chance of its kind within the step. `source`: the transport fails, and
// that load call is never made.
struct Fault {
  enum class At { loader, post_load_enter, post_load_middle, copy_back, source } at = At::loader;
  int64_t nth = 0;
};

enum class StepKind {
  load,
  reload,
  prepare,
  loads,
  finish,
  abort,
  retry,
  forward,
  destroy,
  repeat,
  // Of models with series.
  pass,
  update_owner,  // owners' weights are overwritten in place, and nobody is told
  drain,
  reset,
  // Of models with series: a pass into a graph, and the last graph; of others: forwards into graphs, one for each size.
  capture,
  replay,
  host_sync,
  sleep,  // the memory of weights is given back, and its addresses stay
  wake,
};

// Graphs of forwards, of models without series.
struct Graphs {
  std::vector<int64_t> sizes;  // tokens: capture makes a graph for each, in this order; replay runs those, all where it names none
  bool shared_pool = false;    // the graphs' temporaries share memory
  // What other threads may do meanwhile: anything, or nothing that could disturb a capture.
  enum class Mode { thread_local_, global } mode = Mode::thread_local_;
};

struct Step {
  StepKind kind = StepKind::load;
  Position at;                         // in the scenario file, for messages
  LoadPlan plan;                       // load, reload, loads
  std::optional<Fault> fault;          // load, reload, prepare, loads, finish
  std::optional<DType> default_dtype;  // of the process while the step runs; f32 otherwise
  std::optional<int64_t> abort_after;  // reload, loads: the update is abandoned after this many load calls
  // What the step must come to. `error` is any refusal; `unspecified` judges nothing.
  enum class Outcome { ok, error, unspecified } outcome = Outcome::ok;
  int64_t times = 1;       // repeat: how often `body` runs
  std::vector<Step> body;  // repeat
  Pass pass;               // pass, capture
  Graphs graphs;           // capture, replay
  int level = 1;           // sleep: 1 keeps contents on the host, 2 keeps those of buffers alone
  Via via = Via::series;   // reload, of models with series
  bool in_place = false;   // reload by way of the series: owners get processed weights, no loader is called
};

// When the candidate is told to record the model. `never` is misuse: what it does with an update must still be right. With series:
// before their layers are registered, or after it.
enum class Record { after_construction, never, after_registration };

struct Expect {
  // When each layer's last missing element arrives: at that load, or only at finish (deferred or incomplete layers).
  enum class Completed { at_last_load, at_finish, unspecified } completed = Completed::at_last_load;
};

// How modelled devices run what series issue to their communicators (sim/world/modelled/group.h).
struct Collectives {
  enum class Order { nccl, gloo } order = Order::nccl;
  int at_once = 0;  // on a device, of all communicators; 0: any number
  friend bool operator==(const Collectives&, const Collectives&) = default;
};

struct Limits {
  std::optional<int64_t> extra_bytes;  // none: the formula of semantics.md
};

// LibTorch's allocator on GPUs. It is a process's, from its start to its end.
enum class GpuAllocator { environment, native, expandable_segments, cuda_malloc_async };

// What the machine must have; elsewhere the case is skipped.
struct Requires {
  int64_t gpus = 0;
  int64_t vram_gib = 0;  // of each GPU that the case uses
  int capability = 0;    // compute capability, at least: 90 is 9.0
  std::vector<std::string> features;
};

struct Case {
  std::string scenario;  // "padded-vocab-tied-head"
  std::string file;      // path as given
  // Where keys of the file stand, for messages about the case as a whole.
  struct Places {
    Position scenario, tags, laws, steps;
  } places;
  std::string variant;  // "ranks=2", or with vary: "ranks=2,order=reversed"; empty when there is one case
  std::string about;
  std::string system;  // "layerwise"
  std::vector<std::string> tags;
  Requires needs;
  WorldKind world = WorldKind::cpu;
  int ranks = 1;
  int tensor_parallel = 0;  // ranks of a group, groups are replicas of one another; 0: all are one group
  int sample = 0;           // of each class of equal ranks so many are played; 0: every rank is
  model::ModelSpec model;
  int models = 1;  // cases with series: so many models live in each rank's process, each with series of its own
  std::vector<SeriesSpec> series;
  Collectives collectives;
  GpuAllocator allocator = GpuAllocator::environment;               // that which the environment says
  std::optional<Timing> timing;                                     // none: what devices of today take
  std::vector<std::pair<std::string, CheckpointSpec>> checkpoints;  // in file order
  Record record = Record::after_construction;
  std::vector<Step> steps;
  std::vector<std::string> laws;  // resolved list of law ids; "default" is expanded by the law registry's caller when empty
  Expect expect;
  Limits limits;
  uint64_t seed = 0;  // the run's seed: orders and variations that the scenario does not fix are drawn from it
  // World cuda, where order counts: streams lose time at places that this seed says, so that what nothing orders comes otherwise; none:
  // nowhere.
  std::optional<uint64_t> delays;

  std::string id() const { return variant.empty() ? scenario : scenario + "[" + variant + "]"; }
  const CheckpointSpec* checkpoint(std::string_view name) const;
  bool sleeps() const;  // at some step
  // The layers of all series, in the model's order.
  std::vector<std::string> shared_layers() const;
  // The series that the layer is in; null where it is in none.
  const SeriesSpec* series_of(const std::string& layer) const;
  // Whether some step's loads come from there.
  bool brings_from(LoadPlan::Source source) const;
  // Whether what orders accesses is judged: with series, or where loads come by a stream of the transport's.
  bool order_counts() const { return !series.empty() || brings_from(LoadPlan::Source::stream); }
  // Whether the tensor is the weight of a layer of a series, on one of its ranks.
  bool in_window(std::string_view tensor, int64_t rank) const;
  model::TensorParallel parallel(int rank) const {
    const int size = tensor_parallel > 0 ? tensor_parallel : ranks;
    return {rank % size, size, rank / size, ranks / size};
  }
};

}  // namespace reloadlab::sim
