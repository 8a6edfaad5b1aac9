// The table of keys: what a file, a world, a model and a checkpoint are. One row a key; the order is the order of the documentation.
#include <limits>

#include "reference/base/scalar.h"
#include "reference/model/architecture/architecture.h"
#include "reference/model/kind.h"
#include "sim/scenario/schema.h"
#include "sim/scenario/schema_parts.h"
#include "sim/scenario/spelling.h"

namespace reloadlab::sim {
namespace {

using namespace form;

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (const model::LayerKind* kind : model::layer_kinds()) names.emplace_back(kind->id());
  return names;
}

std::vector<std::string> quant_names() {
  std::vector<std::string> names;
  for (const model::QuantInfo& method : model::quant_methods()) names.emplace_back(method.id);
  return names;
}

std::vector<std::string> capability_names() {
  std::vector<std::string> names;
  for (const auto& [capability, name] : capability_spellings) names.emplace_back(name);
  return names;
}

// A family of files is called like the architecture that takes its tensors.
std::vector<std::string> family_names() {
  std::vector<std::string> names;
  for (const model::ArchitectureInfo& architecture : model::architectures()) names.emplace_back(architecture.id);
  return names;
}

std::vector<std::string> architecture_names() {
  std::vector<std::string> names = family_names();
  names.insert(names.begin(), "layers");
  return names;
}

constexpr Object object_rows[] = {
    {"scenario", "The file", ""},
    {"world", "`world`: where the cases run", ""},
    {"requires", "`requires`: what the machine must have", ""},
    {"model", "`model`: what is reloaded", ""},
    {"layer", "A layer: an entry of `model.layers`", ""},
    {"checkpoint", "A checkpoint: a value of `checkpoints`", ""},
    {"series", "A shared-weight series: an entry of `series`", ""},
    {"step", "A step: an entry of `steps`", ""},
    {"load", "`load` and `loads`", "delivery"},
    {"reload", "`reload`", "delivery"},
    {"delivery", "How a checkpoint is delivered: keys of `load`, `loads` and `reload`", ""},
    {"order", "`order` as a map", ""},
    {"wrong", "An entry of `wrong`", ""},
    {"repeat", "`repeat`", ""},
    {"fault", "`fault`: what the harness makes fail, once", ""},
    {"sleep", "`sleep`", ""},
    {"timing", "`timing`", ""},
    {"pass", "`pass`, and `capture` of models with series", ""},
    {"capture", "`capture` of models without series", "pass"},
    {"replay", "`replay`", ""},
    {"lost", "`lost`", ""},
    {"nothing", "Steps without keys of their own", ""},
    {"expect", "`expect`: what the scenario comes to", ""},
    {"limits", "`limits`", ""},
};

std::vector<Key> file_keys() {
  return {
      {.object = "scenario",
       .name = "reloadlab",
       .forms = integer,
       .about = "Version of this schema.",
       .required = true,
       .minimum = 1,
       .maximum = schema_version},
      {.object = "scenario",
       .name = "scenario",
       .forms = text,
       .about = "Name of the scenario, unique among the files of a run.",
       .required = true,
       .pattern = Pattern::slug},
      {.object = "scenario",
       .name = "about",
       .forms = text,
       .about = "What the scenario is for: the rule or the bug, in a sentence or two.",
       .required = true,
       .long_text = true},
      {.object = "scenario",
       .name = "system",
       .forms = text,
       .about = "The system whose candidates run it.",
       .required = true,
       .allowed = {"layerwise", "online_quant", "shared_series"}},
      {.object = "scenario",
       .name = "tags",
       .forms = texts,
       .about = "Words to select scenarios by.",
       .fallback = "[]",
       .pattern = Pattern::slug},
      {.object = "scenario",
       .name = "requires",
       .forms = object,
       .about = "What the machine must have; the cases are skipped elsewhere.",
       .child = "requires"},
      {.object = "scenario", .name = "world", .forms = object, .about = "Where the cases run; lists multiply.", .child = "world"},
      {.object = "scenario", .name = "model", .forms = object, .about = "The model.", .required = true, .child = "model"},
      {.object = "scenario",
       .name = "checkpoints",
       .forms = named,
       .about = "Checkpoints by name.",
       .required = true,
       .child = "checkpoint",
       .pattern = Pattern::word},
      {.object = "scenario",
       .name = "record",
       .forms = text,
       .about = "When the candidate is told to record the model: once after construction, as its contract says, or `never`, which is "
                "misuse. With series it is told where a reload goes `via: layerwise`, before their layers are registered or "
                "`after_registration`. Told before, it stands between the series and the loaders, and series' own reloads are refused.",
       .fallback = "after_construction",
       .allowed = {"after_construction", "never", "after_registration"}},
      {.object = "scenario", .name = "steps", .forms = objects, .about = "What happens, in order.", .required = true, .child = "step"},
      {.object = "scenario",
       .name = "laws",
       .forms = text | texts,
       .about = "Ids of the laws to judge, or `default` for all.",
       .fallback = "default",
       .pattern = Pattern::word},
      {.object = "scenario", .name = "expect", .forms = object, .about = "What the scenario comes to.", .child = "expect"},
      {.object = "scenario", .name = "limits", .forms = object, .about = "Bounds that the laws judge.", .child = "limits"},
      {.object = "scenario",
       .name = "vary",
       .forms = free_map,
       .about = "Key paths with lists of values, `steps.1.reload.order: [listed, reversed]`; the lists multiply into cases. List entries "
                "are counted from 0."},
      {.object = "scenario",
       .name = "seed",
       .forms = integer,
       .about = "Fixes what the run's seed would draw. Written by `emit`.",
       .minimum = std::numeric_limits<int64_t>::min(),
       .maximum = std::numeric_limits<int64_t>::max()},
      {.object = "scenario",
       .name = "variant",
       .forms = text,
       .about = "Label of the case among those of its scenario; not together with lists that multiply."},
  };
}

std::vector<Key> place_keys() {
  return {
      {.object = "world",
       .name = "kind",
       .forms = text | texts,
       .about = "`cpu`: real tensors; `meta`: shapes and counts only; `sim`: modelled devices; `cuda`: GPUs.",
       .fallback = "cpu",
       .allowed = {"cpu", "meta", "sim", "cuda"}},
      {.object = "world",
       .name = "ranks",
       .forms = integer | integers,
       .about = "How many ranks there are: one tensor-parallel group, or several.",
       .fallback = "1",
       .minimum = 1,
       .maximum = 4096},
      {.object = "world",
       .name = "tensor_parallel",
       .forms = integer,
       .about = "Ranks of a tensor-parallel group, where that is not all of them: the groups hold the same, but experts that are dealt "
                "out are dealt over all ranks. There is no `forward` then. 1 when absent and there are series.",
       .minimum = 1,
       .maximum = 4096},
      {.object = "world",
       .name = "sample",
       .forms = integer,
       .about = "Play so many ranks of each class of equal ones (same shapes and shares of every tensor): the first, the last, others as "
                "the seed draws them. `ranks_alike` holds them against each other. All ranks are played when absent. There is no "
                "`forward` then.",
       .minimum = 1,
       .maximum = 4096},
      {.object = "world",
       .name = "collectives",
       .forms = text,
       .about =
           "With series on modelled devices, how a communicator orders what it gets. `nccl`: on a stream of its own, and `wait` orders "
           "streams; `gloo`: by two workers in turn, and `wait` blocks the host.",
       .fallback = "nccl",
       .allowed = {"nccl", "gloo"}},
      {.object = "world",
       .name = "collectives_at_once",
       .forms = integer,
       .about = "With series on modelled devices: so many collectives run on a device at one time, whatever their communicators; 0: any "
                "number. With 1 nothing orders two communicators' collectives, and ranks can wait for each other for ever, some schedules "
                "of `explore` say.",
       .fallback = "0",
       .maximum = 64},
      {.object = "world",
       .name = "allocator",
       .forms = text | texts,
       .about =
           "On world `cuda`, LibTorch's allocator there: `native`; `expandable_segments`, the same over segments that grow; or "
           "`cudaMallocAsync`, the driver's. A process has one, so processes are started for each. Other worlds have none of them, and "
           "cases that name one are unsupported there. As the environment says (`PYTORCH_ALLOC_CONF`) when absent.",
       .allowed = {"native", "expandable_segments", "cudaMallocAsync"}},
      {.object = "world",
       .name = "delays",
       .forms = integer | integers,
       .about =
           "With series or `source: stream`: a seed, or several. On world `cuda` streams lose time before operators and collectives "
           "that it draws, so that what nothing orders comes in another order. On modelled devices cases are played by a few other "
           "schedules, until one breaks a law, which is then reported: random ones and such as find bugs of some depth, which it "
           "draws, and, where the case is small, every one that differs. Nowhere when absent: `run --delays` plays such cases with it."},
      {.object = "requires", .name = "gpus", .forms = integer, .about = "GPUs on this host.", .fallback = "0", .maximum = 64},
      {.object = "requires",
       .name = "vram_gib",
       .forms = integer,
       .about = "Memory of each GPU that the case uses, in GiB.",
       .fallback = "0",
       .maximum = 4096},
      {.object = "requires",
       .name = "compute_capability",
       .forms = text,
       .about = "Least compute capability of each GPU.",
       .allowed = capability_names()},
      {.object = "requires",
       .name = "feature",
       .forms = text | texts,
       .about = "`fp8`: arithmetic in fp8 (compute capability 8.9); `peer_access`: each GPU reads the memory of each other.",
       .fallback = "[]",
       .allowed = {"fp8", "peer_access"}},
  };
}

std::vector<Key> model_keys() {
  return {
      {.object = "model",
       .name = "dtype",
       .forms = text,
       .about = "Element type of layers that name none.",
       .fallback = "bf16",
       .allowed = dtype_names()},
      {.object = "model",
       .name = "architecture",
       .forms = text,
       .about = "`layers`: the list below; otherwise a known architecture with keys of its own.",
       .fallback = "layers",
       .allowed = architecture_names()},
      {.object = "model",
       .name = "hidden",
       .forms = integer,
       .about = "Value of the key `hidden` for layers whose kind has that key and that give none.",
       .minimum = 1,
       .maximum = limits::layer_integer},
      {.object = "model",
       .name = "flags",
       .forms = texts,
       .about = "Engine flags that are on in the model, such as `_do_torchao_reload`.",
       .fallback = "[]",
       .pattern = Pattern::word},
      {.object = "model",
       .name = "layers",
       .forms = objects,
       .about = "The layers in module order, parents before children. Required unless an architecture makes them.",
       .child = "layer"},
      {.object = "layer",
       .name = "name",
       .forms = text,
       .about = "Path in the model. A range `blocks.{0..3}.qkv` makes one layer for each number; texts of the entry that repeat the range "
                "follow it.",
       .required = true,
       .pattern = Pattern::path},
      {.object = "layer",
       .name = "kind",
       .forms = text,
       .about = "The layer kind; each has keys of its own.",
       .required = true,
       .allowed = kind_names()},
      {.object = "layer", .name = "dtype", .forms = text, .about = "Element type; the model's when absent.", .allowed = dtype_names()},
      {.object = "layer",
       .name = "quant",
       .forms = text,
       .about = "Quantization method, whose post-load step runs after loading.",
       .fallback = "none",
       .allowed = quant_names()},
      {.object = "layer",
       .name = "tied_to",
       .forms = text,
       .about = "A tensor of an earlier layer, such as `embed.weight`, that this layer holds too: one shared handle.",
       .pattern = Pattern::path},
      {.object = "checkpoint", .name = "synthetic", .forms = integer, .about = "Values drawn from this seed.", .group = "source"},
      {.object = "checkpoint",
       .name = "safetensors",
       .forms = text,
       .about = "A safetensors file, or a folder with `model.safetensors` or its index. `${CACHE}` stands for the cache of ci/setup; other "
                "paths are relative to the scenario's folder. What no layer takes is delivered after everything else, as `unknown` names "
                "are, unless the map ignores it or the step has `only`.",
       .group = "source",
       .long_text = true},
      {.object = "checkpoint",
       .name = "perturb",
       .forms = text,
       .about = "Another checkpoint, changed in every element of every tensor.",
       .group = "source",
       .pattern = Pattern::word},
      {.object = "checkpoint",
       .name = "map",
       .forms = text,
       .about = "With `safetensors`: the family whose tables say which parameter, shard and expert a name is; without it names are taken "
                "as they are.",
       .allowed = family_names()},
      {.object = "checkpoint", .name = "seed", .forms = integer, .about = "With `perturb`: which changes.", .fallback = "0"},
  };
}

std::vector<Key> make_keys() {
  std::vector<Key> keys;
  for (auto& part : {file_keys(), series_keys(), place_keys(), model_keys(), step_keys(), pass_keys(), delivery_keys(), verdict_keys()})
    keys.insert(keys.end(), part.begin(), part.end());
  return keys;
}

}  // namespace

std::span<const Object> schema_objects() { return object_rows; }

const std::vector<Key>& schema_keys() {
  static const std::vector<Key> keys = make_keys();
  return keys;
}

}  // namespace reloadlab::sim
