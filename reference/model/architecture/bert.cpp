// The layers of a BERT encoder. Query, key and value are one layer; the names that checkpoints deliver to are in README.md.
#include <fmt/format.h>

#include "reference/model/architecture/architecture.h"
#include "reference/model/kind.h"

namespace reloadlab::model {
namespace {

int64_t integer(const ModelSpec& spec, std::string_view key) { return std::get<int64_t>(spec.values.find(key)->second); }

class Layers {
 public:
  explicit Layers(ModelSpec& spec) : spec_(spec) {}

  void add(std::string name, std::string kind, Values values, bool quantized = false) {
    LayerSpec layer{.name = std::move(name), .kind = std::move(kind), .dtype = spec_.dtype, .values = std::move(values)};
    if (quantized) layer.quant = std::get<std::string>(spec_.values.find("quant")->second);
    fill_defaults(layer);
    spec_.layers.push_back(std::move(layer));
  }
  void norm(std::string name) {
    add(std::move(name), "norm", {{"hidden", integer(spec_, "hidden")}, {"bias", true}, {"eps", spec_.values.find("eps")->second}});
  }
  void linear(std::string name, std::string kind, int64_t in, int64_t out) {
    add(std::move(name), std::move(kind), {{"in", in}, {"out", out}, {"bias", true}}, true);
  }

 private:
  ModelSpec& spec_;
};

void add_block(Layers& layers, const ModelSpec& spec, int64_t block) {
  const int64_t hidden = integer(spec, "hidden"), intermediate = integer(spec, "intermediate");
  const auto name = [&](std::string_view part) { return fmt::format("blocks.{}.{}", block, part); };
  layers.add(name("qkv"), "qkv_parallel_linear", {{"hidden", hidden}, {"heads", integer(spec, "heads")}, {"bias", true}}, true);
  layers.linear(name("attention_output"), "row_parallel_linear", hidden, hidden);
  layers.norm(name("attention_norm"));
  layers.linear(name("up"), "column_parallel_linear", hidden, intermediate);
  layers.linear(name("down"), "row_parallel_linear", intermediate, hidden);
  layers.norm(name("output_norm"));
}

void expand(ModelSpec& spec) {
  Layers layers(spec);
  const int64_t hidden = integer(spec, "hidden");
  layers.add("embeddings.word", "vocab_parallel_embedding",
             {{"vocab", integer(spec, "vocab")}, {"hidden", hidden}, {"pad_to", integer(spec, "pad_to")}});
  layers.add("embeddings.position", "embedding", {{"rows", integer(spec, "positions")}, {"hidden", hidden}, {"ids", true}});
  layers.add("embeddings.token_type", "embedding", {{"rows", integer(spec, "types")}, {"hidden", hidden}});
  layers.norm("embeddings.norm");
  for (int64_t block = 0; block < integer(spec, "blocks"); ++block) add_block(layers, spec, block);
  layers.linear("pooler", "row_parallel_linear", hidden, hidden);
}

Status check(const ModelSpec& spec) {
  if (integer(spec, "hidden") % integer(spec, "heads") != 0)
    return Status(Code::data, fmt::format("hidden {} is no multiple of {} heads", integer(spec, "hidden"), integer(spec, "heads")));
  return {};
}

}  // namespace

ArchitectureInfo bert() {
  using enum KeyInfo::Type;
  return {.id = "bert",
          .about = "encoder of the BERT family; without keys it is MiniLM-L6 (22.7 million parameters)",
          .keys = {{.name = "vocab", .fallback = int64_t{30522}, .minimum = 1, .about = "tokens"},
                   {.name = "pad_to", .fallback = int64_t{64}, .minimum = 1, .about = "the vocabulary is padded to a multiple of this"},
                   {.name = "hidden", .fallback = int64_t{384}, .minimum = 1, .about = "elements of a token's state"},
                   {.name = "heads", .fallback = int64_t{12}, .minimum = 1, .about = "attention heads, split over ranks"},
                   {.name = "blocks", .fallback = int64_t{6}, .minimum = 1, .about = "encoder blocks"},
                   {.name = "intermediate",
                    .fallback = int64_t{1536},
                    .minimum = 1,
                    .about = "elements between the two linear layers of a block"},
                   {.name = "positions", .fallback = int64_t{512}, .minimum = 1, .about = "longest sequence"},
                   {.name = "types", .fallback = int64_t{2}, .minimum = 1, .about = "token types"},
                   {.name = "eps", .type = number, .fallback = 1e-12, .about = "added to variances"},
                   {.name = "quant", .type = text, .fallback = std::string("none"), .about = "quantization of the linear layers"}},
          .expand = expand,
          .check = check};
}

}  // namespace reloadlab::model
