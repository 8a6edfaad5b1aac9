// The layers of a BERT encoder. Query, key and value are one layer; the names that checkpoints deliver to are in README.md.
#include <fmt/format.h>

#include "reference/model/architecture/architecture.h"
#include "reference/model/architecture/layer_list.h"

namespace reloadlab::model {
namespace {

void add_norm(LayerList& layers, std::string name) {
  layers.add(std::move(name), "norm", {{"hidden", layers.integer("hidden")}, {"bias", true}, {"eps", layers.number("eps")}});
}

void add_linear(LayerList& layers, std::string name, std::string kind, int64_t in, int64_t out) {
  layers.add_quantized(std::move(name), std::move(kind), {{"in", in}, {"out", out}, {"bias", true}});
}

void add_block(LayerList& layers, int64_t block) {
  const int64_t hidden = layers.integer("hidden"), intermediate = layers.integer("intermediate");
  const auto name = [&](std::string_view part) { return fmt::format("blocks.{}.{}", block, part); };
  layers.add_quantized(name("qkv"), "qkv_parallel_linear", {{"hidden", hidden}, {"heads", layers.integer("heads")}, {"bias", true}});
  add_linear(layers, name("attention_output"), "row_parallel_linear", hidden, hidden);
  add_norm(layers, name("attention_norm"));
  add_linear(layers, name("up"), "column_parallel_linear", hidden, intermediate);
  add_linear(layers, name("down"), "row_parallel_linear", intermediate, hidden);
  add_norm(layers, name("output_norm"));
}

void expand_bert(ModelSpec& spec) {
  LayerList layers(spec);
  const int64_t hidden = layers.integer("hidden");
  layers.add("embeddings.word", "vocab_parallel_embedding",
             {{"vocab", layers.integer("vocab")}, {"hidden", hidden}, {"pad_to", layers.integer("pad_to")}});
  layers.add("embeddings.position", "embedding", {{"rows", layers.integer("positions")}, {"hidden", hidden}, {"ids", true}});
  layers.add("embeddings.token_type", "embedding", {{"rows", layers.integer("types")}, {"hidden", hidden}});
  add_norm(layers, "embeddings.norm");
  for (int64_t block = 0; block < layers.integer("blocks"); ++block) add_block(layers, block);
  add_linear(layers, "pooler", "row_parallel_linear", hidden, hidden);
}

Status check_bert(const ModelSpec& spec) { return heads_divide(spec); }

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
          .expand = expand_bert,
          .check = check_bert};
}

}  // namespace reloadlab::model
