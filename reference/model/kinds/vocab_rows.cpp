#include "reference/model/kinds/vocab_rows.h"

#include "reference/model/kinds/construct.h"

namespace reloadlab::model {

std::vector<KeyInfo> VocabRows::vocab_keys() {
  return {
      {.name = "vocab", .required = true, .minimum = 1, .about = "tokens"},
      {.name = "hidden", .required = true, .minimum = 1, .about = "elements of a token's row"},
      {.name = "pad_to", .fallback = int64_t{64}, .minimum = 1, .about = "rows are padded to a multiple of this, and then of the ranks"},
      pad_value_key(),
      {.name = "loader_pads",
       .type = KeyInfo::Type::boolean,
       .fallback = false,
       .about = "the loader fills the padding each time, instead of the constructor once"},
      loader_key()};
}

Piece VocabRows::rows_of(const LayerSpec& spec, TensorParallel tp) {
  const int64_t vocab = spec.integer("vocab");
  return piece_of(vocab, round_up(round_up(vocab, spec.integer("pad_to")), tp.size), tp);
}

std::vector<Placement> VocabRows::placements(const LayerSpec& spec, const Delivery&, TensorParallel tp) const {
  const Piece rows = rows_of(spec, tp);
  return place({rows.start, 0}, {0, 0}, {rows.used, spec.integer("hidden")});
}

bool VocabRows::loader_pads(const LayerSpec& spec, TensorParallel tp) const {
  return spec.flag("loader_pads") && rows_of(spec, tp).padded();
}

LayerPtr VocabRows::build(const LayerSpec& spec, TensorParallel tp) const {
  const int64_t vocab = spec.integer("vocab"), hidden = spec.integer("hidden"), pad_to = spec.integer("pad_to");
  const int64_t padded = (vocab + pad_to - 1) / pad_to * pad_to;
  const int64_t rows = (padded + tp.size - 1) / tp.size;
  LayerPtr layer = make_layer(spec, tp, class_name_);
  ParameterPtr weight = add_parameter(*layer, "weight", {rows, hidden}, spec.dtype, "ModelWeightParameter");
  set_dim(weight, "output_dim", 0);
  set_dim(weight, "input_dim", 1);
  const double value = spec.number("pad_value");
  pad(weight, 0, std::clamp<int64_t>(vocab - rows * tp.rank, 0, rows), value);
  LoadSplit rule{{{vocab, hidden}, 2}, 0};
  if (spec.flag("loader_pads")) rule.pads = value;
  set_loader(weight, rule_loader(layer, rule));
  return layer;
}

std::vector<SlotSpec> VocabRows::own_slots(const LayerSpec& spec, TensorParallel tp) const {
  const Piece rows = rows_of(spec, tp);
  std::vector<SlotSpec> slots{{.name = "weight", .shape = {rows.local, spec.integer("hidden")}, .dtype = spec.dtype}};
  if (rows.padded()) slots[0].initial = spec.number("pad_value");
  return slots;
}

std::vector<Delivery> VocabRows::own_deliveries(const LayerSpec& spec) const {
  return {deliver(spec, "weight", {spec.integer("vocab"), spec.integer("hidden")})};
}

Status VocabRows::check_sizes(const LayerSpec& spec, TensorParallel tp) const {
  const bool plain = tp.size == 1 && spec.integer("vocab") % spec.integer("pad_to") == 0 && !spec.flag("loader_pads");
  return plain ? Status() : must_have_loader(spec);
}

}  // namespace reloadlab::model
