// The rows of the table about what happens: steps, deliveries, expectations.
#include "reference/base/scalar.h"
#include "sim/scenario/schema_parts.h"

namespace reloadlab::sim {

using namespace form;

std::vector<std::string> dtype_names() {
  std::vector<std::string> names;
  for (DType dtype : all_dtypes()) names.emplace_back(dtype_name(dtype));
  return names;
}

std::vector<Key> step_keys() {
  return {
      {.object = "step",
       .name = "load",
       .forms = text | object,
       .about = "The first load: a checkpoint's name, or a map. No candidate takes part.",
       .child = "load",
       .group = "kind",
       .pattern = Pattern::word},
      {.object = "step",
       .name = "reload",
       .forms = text | object,
       .about = "A whole update: prepare, loads, finish.",
       .child = "reload",
       .group = "kind",
       .pattern = Pattern::word},
      {.object = "step", .name = "prepare", .forms = object, .about = "Begins an update.", .child = "nothing", .group = "kind"},
      {.object = "step",
       .name = "loads",
       .forms = text | object,
       .about = "Load calls without begin or end.",
       .child = "load",
       .group = "kind",
       .pattern = Pattern::word},
      {.object = "step", .name = "finish", .forms = object, .about = "Ends an update.", .child = "nothing", .group = "kind"},
      {.object = "step", .name = "abort", .forms = object, .about = "Abandons an update.", .child = "nothing", .group = "kind"},
      {.object = "step",
       .name = "retry",
       .forms = object,
       .about = "A whole update once more: the loads of the last `reload` or `loads`, without its fault or abort.",
       .child = "nothing",
       .group = "kind"},
      {.object = "step", .name = "forward", .forms = object, .about = "Runs the model's forward.", .child = "nothing", .group = "kind"},
      {.object = "step",
       .name = "sleep",
       .forms = object,
       .about = "The physical memory of all that the model's construction and its first load have allocated is given back, and the "
                "addresses stay. Whoever touches it before `wake` is found out: on the CPU by what was written, on modelled devices by "
                "the access, on a GPU by the error that ends the process. Of updates meanwhile only such make sense that are to be "
                "refused (`outcome: error`). Series are drained before, where they can be.",
       .child = "sleep",
       .group = "kind"},
      {.object = "step",
       .name = "wake",
       .forms = object,
       .about = "Other physical memory at the same addresses, with what the sleep has kept. What it has not is poison.",
       .child = "nothing",
       .group = "kind"},
      {.object = "step",
       .name = "destroy",
       .forms = object,
       .about = "Destroys the model; nothing of it may be left.",
       .child = "nothing",
       .group = "kind"},
      {.object = "step", .name = "repeat", .forms = object, .about = "Steps several times over.", .child = "repeat", .group = "kind"},
      {.object = "step",
       .name = "outcome",
       .forms = text,
       .about = "What the step comes to; `error` is any refusal, `unspecified` judges nothing. `expect.outcome` when absent.",
       .allowed = {"ok", "error", "unspecified"}},
      {.object = "step",
       .name = "fault",
       .forms = object,
       .about = "A fault within `load`, `reload`, `prepare`, `loads` or `finish`.",
       .child = "fault"},
      {.object = "step",
       .name = "abort_after",
       .forms = integer,
       .about = "Within `reload` and `loads`: the update is abandoned after this many load calls.",
       .maximum = 1 << 20},
      {.object = "step",
       .name = "default_dtype",
       .forms = text,
       .about = "The process's default element type while the step runs, which code reads that makes tensors without naming one. f32 "
                "when absent.",
       .allowed = {"f64", "f32", "f16", "bf16"}},
      {.object = "load",
       .name = "direct",
       .forms = boolean,
       .about = "The first load only: the values go straight into the parameters, as engines' dummy weights do. No loader is called, so "
                "what the model then holds is no checkpoint, and who learns from the first load what checkpoints bring takes padding for "
                "something that is missing.",
       .fallback = "false"},
      {.object = "load", .name = "from", .forms = text, .about = "The checkpoint.", .required = true, .pattern = Pattern::word},
      {.object = "reload", .name = "to", .forms = text, .about = "The checkpoint.", .required = true, .pattern = Pattern::word},
      {.object = "sleep",
       .name = "level",
       .forms = integer,
       .about =
           "1: contents are copied to the host and come back. 2: they are lost, but for the model's named buffers, persistent or "
           "not, and for what a candidate keeps for itself; before anything is computed, a reload of a whole checkpoint has to follow.",
       .required = true,
       .minimum = 1,
       .maximum = 2},
      {.object = "repeat", .name = "times", .forms = integer, .about = "How often.", .required = true, .minimum = 1, .maximum = 10000},
      {.object = "repeat", .name = "steps", .forms = objects, .about = "The steps.", .required = true, .child = "step"},
      {.object = "fault",
       .name = "at",
       .forms = text,
       .about = "Inside a loader, on entry to post-load processing, between two of its writes, between two copies back, or in the source: "
                "the transport cannot bring the next tensor, and the loader is not called.",
       .required = true,
       .allowed = {"loader", "post_load_enter", "post_load_middle", "copy_back", "source"}},
      {.object = "fault",
       .name = "nth",
       .forms = integer,
       .about = "Which chance within the step, counted from 0.",
       .fallback = "0",
       .maximum = 1 << 20},
  };
}

std::vector<Key> delivery_keys() {
  return {
      {.object = "delivery",
       .name = "order",
       .forms = text | object | texts,
       .about = "`listed`: as the model lists its tensors; `by_layer`: grouped by layer; `reversed`; `interleaved`: one tensor of each "
                "layer in turn; `{shuffle: seed}`; or the names themselves, every delivered one once.",
       .fallback = "listed",
       .allowed = {"listed", "by_layer", "reversed", "interleaved"},
       .child = "order",
       .pattern = Pattern::names,
       .free_list = true},
      {.object = "order", .name = "shuffle", .forms = integer, .about = "Seed of the permutation.", .required = true},
      {.object = "delivery",
       .name = "chunk",
       .forms = integer,
       .about = "The transport hands over this many tensors at a time, as views of one buffer. 0: every tensor has its own.",
       .fallback = "0",
       .maximum = 1 << 20},
      {.object = "delivery",
       .name = "reuses",
       .forms = boolean,
       .about = "With `chunk`: the buffer is the transport's, which fills it again for the next chunk; `false`: every chunk has a buffer "
                "of its own, which lives as long as somebody holds a tensor of it.",
       .fallback = "true"},
      {.object = "delivery",
       .name = "source",
       .forms = text,
       .about =
           "Where it comes from. `local`: memory of the stream that is current when it arrives. `stream` (on devices): a stream of the "
           "transport's own fills its own memory; the current stream is made to wait before tensors are handed over, and what is "
           "filled again is filled behind what the current stream held when the load call returned. `ring_happens_before` judges that. "
           "`ipc` (worlds `cpu` and `cuda`): memory of another process, mapped here.",
       .fallback = "local",
       .allowed = {"local", "stream", "ipc"}},
      {.object = "delivery",
       .name = "handle",
       .forms = text,
       .about = "With `source: ipc`, what becomes of the memory when the loads of a chunk (without `chunk`: of a tensor) have returned and "
                "the current stream is done: the other process fills it again, or it is `closed` and is mapped here no more.",
       .fallback = "reused",
       .allowed = {"closed", "reused"}},
      {.object = "delivery",
       .name = "dtype",
       .forms = text,
       .about = "Floating-point tensors arrive in this element type, which must hold all values of theirs: loaders cast.",
       .allowed = dtype_names()},
      {.object = "delivery",
       .name = "layout",
       .forms = text,
       .about = "How what arrives lies in memory: `dense`, row by row; `strided`, every second element of a row; `transposed`, column by "
                "column; `offset`, behind something else.",
       .fallback = "dense",
       .allowed = {"dense", "strided", "transposed", "offset"}},
      {.object = "delivery",
       .name = "batch",
       .forms = integer,
       .about = "The model's load routine takes this many tensors at a time: handles that are looked up as the loads begin are looked up "
                "again for each batch. 0: one batch.",
       .fallback = "0",
       .maximum = 1 << 20},
      {.object = "delivery",
       .name = "repeat",
       .forms = texts,
       .about = "Tensors delivered several times in a row: `name x2`.",
       .fallback = "[]"},
      {.object = "delivery", .name = "only", .forms = texts, .about = "Deliver these only.", .fallback = "[]", .pattern = Pattern::names},
      {.object = "delivery",
       .name = "omit",
       .forms = texts,
       .about = "Leave these out. Where the first load brings less of one layer of a series than of the others, every rank has to refuse "
                "it (`outcome: error`) before anything is sent: windows would bring memory that nobody wrote.",
       .fallback = "[]",
       .pattern = Pattern::names},
      {.object = "delivery",
       .name = "excess",
       .forms = texts,
       .about = "Deliver these once more, after everything else.",
       .fallback = "[]",
       .pattern = Pattern::names},
      {.object = "delivery",
       .name = "unknown",
       .forms = texts,
       .about = "Names that no layer takes, delivered after everything else.",
       .fallback = "[]",
       .pattern = Pattern::path},
      {.object = "delivery",
       .name = "wrong",
       .forms = objects,
       .about = "Tensors delivered with another shape or element type. Of a weight of a series, what its owner refuses every rank has to "
                "refuse, in the first load as in a reload.",
       .child = "wrong"},
      {.object = "delivery",
       .name = "resolve",
       .forms = text,
       .about =
           "When parameter handles are looked up: all as the loads begin, as engines do; for each load; or all before the update begins.",
       .fallback = "loads_begin",
       .allowed = {"loads_begin", "each_load", "before_prepare"}},
      {.object = "wrong", .name = "tensor", .forms = text, .about = "The tensor.", .required = true, .pattern = Pattern::names},
      {.object = "wrong", .name = "shape", .forms = integers, .about = "Its shape instead.", .maximum = 1 << 20},
      {.object = "wrong", .name = "dtype", .forms = text, .about = "Its element type instead.", .allowed = dtype_names()},
  };
}

std::vector<Key> verdict_keys() {
  return {
      {.object = "expect",
       .name = "completed",
       .forms = text,
       .about = "When each layer's last missing element arrives: at that load, or only at finish.",
       .fallback = "at_last_load",
       .allowed = {"at_last_load", "at_finish", "unspecified"}},
      {.object = "expect",
       .name = "outcome",
       .forms = text,
       .about = "Outcome of the steps that name none.",
       .fallback = "ok",
       .allowed = {"ok", "error", "unspecified"}},
      {.object = "limits",
       .name = "extra_bytes",
       .forms = integer | text,
       .about =
           "Bytes beyond the model that a reload may take; `formula`: what the order of arrival makes unavoidable. A reload that is to be "
           "refused for this alone is to go through where it fits by the formula of the candidate's policies, and may where the candidate "
           "need not materialize every layer.",
       .fallback = "formula",
       .allowed = {"formula"}},
  };
}

}  // namespace reloadlab::sim
