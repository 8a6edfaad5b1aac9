#pragma once
// What was seen. Replay fills it, laws read it and nothing else. Plain data, no LibTorch: a stored run can be judged again.
//
//   Evidence ── the case, the plan (arithmetic on the scenario), the candidate's declarations
//     └─ Execution ── one run of the step list under one variation (cold load, other poison, digit plane, order, fault …)
//          └─ RankRun ── events, one census before the first step and one after each step, step outcomes, coverage reports
//
// Addresses never appear: a storage is known by the serial number that the harness's allocator gave it, which counts
// allocations of the rank in that execution and so is the same in every run of the same seed.
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reference/base/scalar.h"
#include "reference/base/status.h"
#include "sim/scenario/case.h"

namespace reloadlab::sim {

using Bytes = std::vector<std::byte>;

// Content of a tensor, row-major and dense whatever its strides. Equal content shares one blob.
struct Blob {
  std::array<uint64_t, 2> fingerprint{};
  Bytes bytes;
};
using BlobPtr = std::shared_ptr<const Blob>;

// One name that a layer (or its extra state) holds, at one moment.
struct CensusEntry {
  enum class Kind { parameter, buffer, empty_parameter, empty_buffer, extra_tensor, extra_host };
  std::string path;   // "blocks.0.qkv.weight"; extra state: "blocks.0.qkv.extra:workspace"; outside of the model: "process:row_table 6"
  std::string layer;  // empty: outside of the model
  Kind kind = Kind::parameter;
  bool persistent = true;
  bool on_meta = false;
  int64_t handle = -1;   // serial of the shared handle: equal for tied slots; -1: empty or host
  int64_t storage = -1;  // allocation serial; -1: meta, empty or host. A storage freed and allocated again has a new serial
  int64_t offset = 0;    // elements
  Shape shape, strides;
  DType dtype = DType::f32;
  std::string tensor_class;
  std::string loader;      // "weight_loader(bound)", "online_process_loader(wraps weight_loader)", "-" for none
  std::string attributes;  // "pad_value=0.0 output_dim=0", sorted by name
  BlobPtr content;         // null: meta, empty
  double host = 0;         // extra_host
};

// What a post-load step derives, computed once more by the harness from its sources as they were at that moment.
struct Recomputed {
  std::string path;                  // of the entry that holds what the candidate left
  std::vector<std::string> sources;  // paths of the tensors it is derived from
  BlobPtr content;                   // null: a host number, or there are no bytes
  double host = 0;
};

struct Census {
  int step = -1;                     // the step after which it was taken; -1: after construction
  std::vector<CensusEntry> entries;  // in module order, then slot order
  std::vector<Recomputed> derived;
  std::string flags;  // "_do_torchao_reload=0", sorted; "on_unexpected_name" if the hook is set; "unprocessed:up"
  const CensusEntry* find(std::string_view path) const;
};

enum class EventKind {
  step_begin,
  step_end,
  record,
  prepare_begin,
  prepare_end,
  finish_begin,
  finish_end,
  abort_begin,
  abort_end,
  load_begin,
  load_end,  // load: index in the step; tensor: delivery name in `text`
  load_counted,
  load_dropped,
  completed,
  processed,
  copied_back,
  armed,
  disarmed,
  warning,  // candidate's hints (Observer)
  post_load_begin,
  post_load_end,
  write_kernel,  // an operator wrote storage that a kernel tensor (a tensor of the census before the update) has
  write_source,  // an operator wrote into a tensor that the transport had handed over
  alloc,
  free,   // bytes in `numel`, serial in `value`
  fault,  // the harness made something fail here
  forward,
  // Of series. `layer` is the layer's.
  reach_begin,
  reach_end,
  read,        // `value`: index into RankRun::reads
  collective,  // issued: `text` says which ("broadcast root 1 of all"), `numel` its bytes, `value` the storage of this rank's part
  captured,    // the same into a graph, which issues it in each replay
  lies,        // behind a load, reload or reset that ended well: a weight that another rank owns has room in storage `value`
  lost,        // the rank does nothing any more
  reloaded,    // the layers of a series, `text` is its name, have new weights: it took its reload, or the rank holds them whole
};
std::string_view event_name(EventKind kind);

struct Event {
  EventKind kind;
  int step = -1;
  int load = -1;      // index of the load call within the step, -1 outside
  int layer = -1;     // index into Evidence::layers, -1: none
  int64_t numel = 0;  // elements written or counted; bytes for alloc and free
  int64_t value = 0;  // allocation serial and the like
  std::string text;   // slot, operator, message
};

struct StepOutcome {
  int step = -1;
  Status status;                        // what the candidate (or the substrate's load) returned
  std::vector<Status> load_statuses;    // one per load call made in the step, in order
  std::vector<int64_t> load_operators;  // operators that ran in each of them
  bool crashed = false;                 // an exception crossed the boundary
  std::string touched_asleep;           // the first access to memory that sleeps; empty: none was seen
  bool unusable = false;                // after the step the candidate reports the model as unusable
  int64_t extra_bytes_peak = 0;         // above what was live before the update began, sources included as semantics.md point 9 counts them
  int64_t extra_bytes_after = 0;        // still there when the step had ended
  int64_t peak_bytes = 0;               // of this rank, the most that was live at a time
  int64_t copies = 0, copied_bytes = 0;  // operators of this rank that copied while the candidate worked, and the bytes that these wrote
  int64_t live_layers = 0, live_parameters = 0, live_allocations = 0, live_bytes = 0;  // of this rank, after the step
  std::optional<BlobPtr> output;                                                       // forward: the output's bytes on this rank
};

// What the candidate reported about coverage, as it reported it.
struct CoverageReport {
  enum class Kind { missing, excess, unexpected } kind;
  int step = -1;
  std::string layer, slot;  // unexpected: the name is in `layer`
};

struct RankRun {
  std::vector<Event> events;
  std::vector<Census> censuses;
  std::vector<StepOutcome> outcomes;
  std::vector<CoverageReport> coverage;
  // Slots as they stood at the entry of a post-load step, provenance runs only.
  struct Entry {
    int step;
    std::string path;
    Shape shape;
    DType dtype;
    BlobPtr content;
  };
  std::vector<Entry> at_post_load;
  // What forwards of series read: every tensor of the layer.
  struct Read {
    int step = -1;
    int layer = -1;  // index into Evidence::layers
    std::string slot;
    int64_t storage = -1, offset = 0;  // where it lies
    Shape shape;
    DType dtype = DType::f32;
    BlobPtr content;
    int stream = 0;  // that read it, among those of the rank that read anything, in the order of their first reads
  };
  std::vector<Read> reads;
  // What graphs of forwards read, of models without series.
  struct GraphRead {
    int step = -1;
    int64_t size = 0;  // the graph's tokens
    std::string path;  // of a tensor, whose checksum it is (checksum.h); or of a layer, whose output it is
    int64_t checksum = 0;
    BlobPtr output;  // null: a tensor
  };
  std::vector<GraphRead> graph_reads;
  // Accesses to this rank's memory that nothing orders, in the order of the run.
  struct Access {
    std::string stream;     // "stream 2 of sim:1"
    std::string operation;  // "broadcast #3 of all"
    std::string about;      // "step 2: reach blocks.3.o_proj"
    int step = -1;          // the same as a number; -1: nobody said
    bool writes = false;
  };
  struct Race {
    Access first, second;                                              // in the order of the run
    bool turned = false;                                               // the second one was issued before the first
    const Access& earlier() const { return turned ? second : first; }  // issued before the other, which is to wait for it
    const Access& later() const { return turned ? first : second; }
    // A run in which they changed places, and its schedule. "wrong bytes": there, or as they were seen, what was read of them is wrong.
    // "benign": it is right in both, whatever else is wrong. Empty: none was found.
    std::string witness, schedule;
    std::string reader;  // of wrong bytes: "blocks.3.o_proj on rank 1 in step 2"
    int64_t number = 0;  // among the races of all ranks, in the order of the run
  };
  std::vector<Race> races;
  std::string unseen;  // why there may be more of them; empty: all accesses, and all that orders them, were seen
  // Passes of a case with times, on the stream that reaches layers. Picoseconds.
  struct Pace {
    int step = -1;
    int64_t begin = 0, end = 0;
    int64_t waited = 0;  // of that, what streams waited before they read; only where times are asked for
  };
  std::vector<Pace> paces;
};

struct Variation {
  enum class Kind {
    warm,    // the scenario's steps, poison pattern 0; index: which model, where a process has several
    poison,  // the same with poison pattern 1, which is also its index
    cold,    // a fresh model, checkpoint `name` loaded, then a forward if the steps have one, no candidate; index: poison pattern
    digit,   // the scenario's steps, the delivered values replaced by digit plane `index` of each element's global index + 1
    order,   // the scenario's steps, deliveries of the reloads in another order or in batches; index: which
    fault,   // the scenario's steps up to and including the last reload, one fault in it, then a retry; index: which fault
    repeat,  // the scenario's steps, then the checkpoints reloaded in turn `index` more times, then the model destroyed
    again,   // the same as warm: a share of runs is repeated to prove determinism
  };
  Kind kind = Kind::warm;
  std::string name;
  int index = 0;
  std::optional<Fault> fault;
  std::string label() const;  // "cold B", "order 2", "fault copy_back 3"
};

// Something that a stream of a rank's device did, for those who want to see a run. Picoseconds.
struct StreamStep {
  int rank = -1;
  std::string stream, operation, about;
  int step = -1, model = 0;  // what it is about, as numbers; step -1: nobody said
  int64_t start = 0, end = 0;
  int64_t point = -1;  // in the order of streams that it records or waits for, or that its end marks, by its number; -1: none
};

struct Execution {
  Variation variation;
  // The steps as run under this variation (retry, extra reloads and so on appended), with `repeat` steps unrolled.
  std::vector<Step> steps;
  std::vector<RankRun> ranks;
  // Why it ended before its steps did, and what each rank and stream then waited for; empty where it did not.
  std::string stopped;
  std::vector<std::string> waits;
  std::vector<StreamStep> timeline;  // cases with series: in the order in which things were done
  int stopped_in = -1;               // where it was stopped: the earliest step of which something waited then; -1: construction
};

// A load call as the scenario's arithmetic expects it.
struct PlannedLoad {
  int step = -1;
  int index = -1;                            // among the step's load calls
  std::string delivery;                      // "blocks.0.q_proj.weight"
  std::string layer, slot;                   // empty for unknown names
  std::vector<model::Placement> placements;  // on this rank
  int64_t bytes = 0;                         // of the delivered tensor
  int64_t fresh = 0;                         // elements of the slot that no earlier load of the same update wrote
  bool excess = false;                       // writes only elements that were written already, or is refused for those it does
  bool wrong = false;                        // delivered with a wrong shape or dtype, or its call failed: nothing of it counts
  bool completes = false;                    // brings the last missing element of its layer (and of what shares storage with it)
};

// What each update must come to on one rank, from closed-form arithmetic alone.
struct RankPlan {
  std::vector<PlannedLoad> loads;  // of the warm execution's steps
  struct LayerTotal {
    std::string layer;
    int64_t loadable = 0;
  };  // elements that a complete checkpoint writes
  std::vector<LayerTotal> totals;
  struct Missing {
    int step;
    std::string layer, slot;
    int64_t elements;
  };  // not delivered in the update that ends at `step`
  std::vector<Missing> missing;
  struct Peak {
    int step;
    int64_t extra_bytes;
    int load = -1;                   // index among the step's load calls; -1: after them, up to the end of the step
    int64_t extra_bytes_failed = 0;  // at most, where that call fails: its loader may have had scratch of its own by then
  };                                 // semantics.md point 9, at each load call and at the end of each step
  std::vector<Peak> peaks;
  struct State {
    int step;
    std::string checkpoint;
    bool partial;             // the checkpoint is not whole there, whatever earlier updates brought
    bool incomplete = false;  // this update did not bring everything
  };                          // what the model must hold after the step: a checkpoint, or an overlay
  std::vector<State> states;
  struct Refusal {
    int step;
    int load = -1;  // index of the load call, -1: the end of the update
  };                // what a policy that the candidate declares must refuse, though the scenario means the step to end well
  std::vector<Refusal> refusals;
  // What an update left that several checkpoints were delivered to, under a name of its own: states call it so, and it is loaded cold.
  struct Mixture {
    std::string name;               // "A+B of step 4"
    std::vector<std::string> from;  // by delivery, the checkpoint that it came from
  };
  std::vector<Mixture> mixtures;
  // An update brings the same elements from two checkpoints: no order is as good as another.
  bool order_matters = false;
};

// Ranks whose tensors have the same shapes, of which checkpoints bring the same shares.
struct RankClass {
  std::vector<int> members;  // numbers of ranks, ascending
  std::vector<int> played;   // those of them that were played, ascending
};

struct Evidence {
  Case the_case;
  std::string candidate;                        // "layerwise@hardened"
  std::map<std::string, std::string> declared;  // the candidate's policies: abort=backup, excess=warn, reports=yes …
  std::vector<std::string> layers;              // paths, in module order
  // Of the model, in module order: it numbers elements globally, as digit planes count them.
  std::vector<model::Delivery> deliveries;
  // Slots whose loader changes what it copied, by path: provenance undoes it.
  std::map<std::string, model::SlotSpec::Transform> transforms;
  std::vector<RankClass> classes;
  std::vector<int> numbers;    // of the ranks that were played, ascending; empty: all were
  std::vector<RankPlan> plan;  // of each of them, as the ranks of executions
  std::vector<Execution> executions;
  int number(size_t position) const { return numbers.empty() ? static_cast<int>(position) : numbers[position]; }
  model::TensorParallel parallel(size_t position) const { return the_case.parallel(number(position)); }
  const Execution* find(Variation::Kind kind, std::string_view name = {}, int index = 0) const;
};

}  // namespace reloadlab::sim
