// Low-rank adapters over a linear layer, which is the child base_layer: what was `o.weight` is the slot `o.base_layer.weight` now, and
// checkpoints still call it `o.weight`. The adapters stand in two stacks, a slot for each; slots that no checkpoint fills are zero.
//
//   y = base(x) + B[s] (A[s] x)        token t has slot s = t mod slots
//
// Over ranks they are cut as the base layer is: B's rows with its outputs, or A's columns with its inputs.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/bmm.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <charconv>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"

namespace reloadlab::model {
namespace {

constexpr const char* lora_stack_names[] = {"lora_a", "lora_b"};
constexpr int64_t lora_tokens = 3;
constexpr int64_t slots_most = 4096;  // each may have deliveries of its own

bool lora_by_rows(const LayerSpec& spec) { return spec.text("split") == "column"; }

// The part is the adapter's slot. Matrices that are not cut have `dim` replicated.
struct LoadAdapter {
  WholeShape whole;
  int64_t dim, delivered;

  Status operator()(TensorParallel tp, Parameter& destination, const at::Tensor& loaded, const LoadArgs& args) const {
    int64_t slot = -1;
    if (args.part) std::from_chars(args.part->data(), args.part->data() + args.part->size(), slot);
    if (slot < 0 || slot >= delivered)
      return Status(Code::failed, fmt::format("part \"{}\" is none of the {} adapters", args.part.value_or(""), delivered));
    RELOADLAB_TRY(expect_shape(loaded, whole));
    const at::Tensor target = destination.tensor.select(0, slot);
    const int64_t along = std::max<int64_t>(dim, 0), length = target.size(along);
    copy_range(target, loaded, {.dim = along, .target = 0, .source = dim < 0 ? 0 : length * tp.rank, .length = length});
    return {};
  }
};

struct LoraSizes {
  int64_t in, out, rank, slots, delivered;
  explicit LoraSizes(const LayerSpec& spec)
      : in(spec.integer("in")),
        out(spec.integer("out")),
        rank(spec.integer("rank")),
        slots(spec.integer("slots")),
        delivered(spec.integer("delivered")) {}
};

LayerPtr base_of(const Layer& layer) {
  for (const LayerPtr& child : layer.children)
    if (child->path().ends_with(".base_layer")) return child;
  TORCH_CHECK(false, "layer ", layer.path(), " has no child base_layer");
}

class LoraAdapter final : public KindBase {
 public:
  LoraAdapter()
      : KindBase("lora_adapter", "low-rank adapters in stacked slots over the linear layer base_layer, its child",
                 {{.name = "in", .required = true, .minimum = 1, .about = "inputs of the base layer"},
                  {.name = "out", .required = true, .minimum = 1, .about = "outputs of the base layer"},
                  {.name = "rank", .required = true, .minimum = 1, .about = "rows of an adapter's first matrix"},
                  {.name = "slots", .fallback = int64_t{2}, .minimum = 1, .about = "adapters that there is room for"},
                  {.name = "delivered", .minimum = 0, .about = "how many of the slots checkpoints fill; the others stay zero"},
                  {.name = "split",
                   .type = KeyInfo::Type::text,
                   .fallback = std::string("column"),
                   .about = "what ranks split of the base layer: outputs (column) or inputs (row)",
                   .choices = "column|row"},
                  {.name = "stacks",
                   .type = KeyInfo::Type::text,
                   .fallback = std::string("parameters"),
                   .about = "how the stacks are registered",
                   .choices = "parameters|buffers"},
                  loader_key()}) {}

  bool is_partial(const LayerSpec& spec) const override { return !lora_by_rows(spec); }

  std::vector<Placement> placements(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp) const override {
    int64_t slot = 0;
    std::from_chars(delivery.part->data(), delivery.part->data() + delivery.part->size(), slot);
    const bool first = delivery.slot == lora_stack_names[0], cut = first != lora_by_rows(spec);
    Shape source{0, 0, 0}, extent{1, delivery.shape[0], delivery.shape[1]};
    if (cut) {
      int64_t& length = extent[first ? 2 : 1];
      length /= tp.size;
      source[first ? 2 : 1] = length * tp.rank;
    }
    return place(std::move(source), {slot, 0, 0}, std::move(extent));
  }

  std::vector<Reference> references(const LayerSpec& spec, TensorParallel tp) const override {
    const LoraSizes sizes(spec);
    const Shape shape = lora_by_rows(spec) ? Shape{sizes.out / tp.size, sizes.in} : Shape{sizes.out, sizes.in / tp.size};
    return {{.slot = "base_layer.weight", .shape = shape, .read = Reference::Read::shape}};
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    const LoraSizes sizes(spec);
    const int64_t in = lora_by_rows(spec) ? sizes.in : sizes.in / tp.size, out = lora_by_rows(spec) ? sizes.out / tp.size : sizes.out;
    LayerPtr layer = make_layer(spec, tp, lora_by_rows(spec) ? "ColumnParallelLinearWithLoRA" : "RowParallelLinearWithLoRA");
    add_stack(layer, lora_stack_names[0], {sizes.slots, sizes.rank, in},
              {{{sizes.rank, sizes.in}, 2}, lora_by_rows(spec) ? -1 : 1, sizes.delivered});
    add_stack(layer, lora_stack_names[1], {sizes.slots, out, sizes.rank},
              {{{sizes.out, sizes.rank}, 2}, lora_by_rows(spec) ? 0 : -1, sizes.delivered});
    return layer;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override {
    const at::Tensor a = compute_copy(held(layer, lora_stack_names[0])), b = compute_copy(held(layer, lora_stack_names[1]));
    const at::Tensor slot = at::arange(input.size(0), at::TensorOptions(at::kLong).device(a.device())).remainder(a.size(0));
    const at::Tensor x = input.to(a.scalar_type()).unsqueeze(2);
    const at::Tensor adapted = at::bmm(b.index_select(0, slot), at::bmm(a.index_select(0, slot), x)).squeeze(2);
    const LayerPtr base = base_of(layer);
    return base->kind->forward(*base, input) + adapted;
  }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel tp, uint64_t seed) const override {
    const at::Tensor input = example_values({lora_tokens, spec.integer("in")}, seed);
    const int64_t share = spec.integer("in") / tp.size;
    return lora_by_rows(spec) ? input : input.narrow(1, share * tp.rank, share);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const override {
    const LoraSizes sizes(spec);
    const int64_t in = lora_by_rows(spec) ? sizes.in : sizes.in / tp.size, out = lora_by_rows(spec) ? sizes.out / tp.size : sizes.out;
    const auto kind = spec.text("stacks") == "buffers" ? SlotSpec::Kind::buffer : SlotSpec::Kind::parameter;
    std::vector<SlotSpec> slots{{.name = lora_stack_names[0], .kind = kind, .shape = {sizes.slots, sizes.rank, in}, .dtype = spec.dtype},
                                {.name = lora_stack_names[1], .kind = kind, .shape = {sizes.slots, out, sizes.rank}, .dtype = spec.dtype}};
    if (sizes.delivered < sizes.slots)
      for (SlotSpec& slot : slots) slot.initial = 0;
    return slots;
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    const LoraSizes sizes(spec);
    std::vector<Delivery> all;
    for (int64_t slot = 0; slot < sizes.delivered; ++slot)
      for (const bool first : {true, false}) {
        const Shape shape = first ? Shape{sizes.rank, sizes.in} : Shape{sizes.out, sizes.rank};
        all.push_back(deliver(spec, "weight", shape, fmt::format("{}.lora_{}.{}", spec.name, first ? "A" : "B", slot)));
        all.back().slot = lora_stack_names[first ? 0 : 1];
        all.back().part = std::to_string(slot);
      }
    return all;
  }

  Status check_sizes(const LayerSpec& spec, TensorParallel tp) const override {
    const LoraSizes sizes(spec);
    if (sizes.slots > slots_most)
      return Status(Code::data, fmt::format("{}: {} slots, expected at most {}", spec.name, sizes.slots, slots_most));
    if (sizes.delivered > sizes.slots)
      return Status(Code::data, fmt::format("{}: {} adapters are delivered, {} have room", spec.name, sizes.delivered, sizes.slots));
    RELOADLAB_TRY(lora_by_rows(spec) ? must_divide(spec, "outputs", sizes.out, tp.size) : must_divide(spec, "inputs", sizes.in, tp.size));
    return must_have_loader(spec);
  }

 private:
  static void add_stack(const LayerPtr& layer, const char* name, at::IntArrayRef shape, LoadAdapter rule) {
    const LayerSpec& spec = layer->spec;
    const ParameterPtr stack = spec.text("stacks") == "buffers" ? add_buffer(*layer, name, shape, spec.dtype, true)
                                                                : add_parameter(*layer, name, shape, spec.dtype);
    pad(stack, 0, rule.delivered, 0);
    set_loader(stack, rule_loader(layer, rule));
  }
};

}  // namespace

const LayerKind& lora_adapter() {
  static const LoraAdapter kind;
  return kind;
}

}  // namespace reloadlab::model
