// The dense decoder against a second evaluation in float64, which knows the tensors' names and no layers, shards or ranks.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <cmath>

#include "reference/base/prng.h"
#include "reference/model/architecture/forward.h"
#include "reference/model/post_load.h"
#include "tests/reference/model/small_models.h"

namespace reloadlab::model {
namespace {

using LlamaFile = std::map<std::string, at::Tensor>;

// Values between -0.5 and 0.5, without any pattern.
LlamaFile file_of(const ModelSpec& spec) {
  LlamaFile file;
  for (const Delivery& delivery : deliveries_of(spec)) {
    at::Tensor tensor = at::empty(delivery.shape, at::kFloat);
    Prng prng(hash_name(delivery.name));
    for (int64_t i = 0; i < tensor.numel(); ++i) tensor.data_ptr<float>()[i] = static_cast<float>(prng.below(1001)) / 1000 - 0.5F;
    file[delivery.name] = tensor;
  }
  return file;
}

class Decoder {
 public:
  Decoder(const LlamaFile& file, const ModelSpec& spec) : file_(file), values_(spec.values) {}

  at::Tensor states(const at::Tensor& tokens) const {
    at::Tensor x = get("embed_tokens.weight").index_select(0, tokens);
    for (int64_t block = 0; block < size("blocks"); ++block) {
      const std::string path = fmt::format("layers.{}.", block);
      x = x + attention(norm(x, path + "input_layernorm"), path + "self_attn.");
      const at::Tensor y = norm(x, path + "post_attention_layernorm");
      const at::Tensor gate = linear(y, path + "mlp.gate_proj");
      x = x + linear(gate / (1 + (-gate).exp()) * linear(y, path + "mlp.up_proj"), path + "mlp.down_proj");
    }
    return norm(x, "norm");
  }
  at::Tensor logits(const at::Tensor& states) const {
    return linear(states, file_.contains("lm_head.weight") ? "lm_head" : "embed_tokens");
  }

 private:
  int64_t size(std::string_view key) const { return std::get<int64_t>(values_.find(key)->second); }
  bool has(const std::string& name) const { return file_.contains(name); }
  at::Tensor get(const std::string& name) const { return file_.at(name).to(at::kDouble); }
  at::Tensor linear(const at::Tensor& x, const std::string& name) const {
    const at::Tensor y = at::matmul(x, get(name + ".weight").t());
    return has(name + ".bias") ? y + get(name + ".bias") : y;
  }
  at::Tensor norm(const at::Tensor& x, const std::string& name) const {
    return x / (x.square().mean(-1, true) + 1e-5).sqrt() * get(name + ".weight");
  }
  // Pairs (i, i + half) turned by position / base^(2i / dim).
  static at::Tensor turned(const at::Tensor& x) {
    const int64_t half = x.size(1) / 2;
    std::vector<at::Tensor> rows;
    for (int64_t position = 0; position < x.size(0); ++position) {
      const at::Tensor row = x[position].clone();
      for (int64_t i = 0; i < half; ++i) {
        const double angle =
            static_cast<double>(position) / std::pow(500000.0, 2.0 * static_cast<double>(i) / static_cast<double>(x.size(1)));
        const double a = x[position][i].item<double>(), b = x[position][i + half].item<double>();
        row[i] = a * std::cos(angle) - b * std::sin(angle);
        row[i + half] = b * std::cos(angle) + a * std::sin(angle);
      }
      rows.push_back(row);
    }
    return at::stack(rows);
  }
  at::Tensor attention(const at::Tensor& x, const std::string& path) const {
    const at::Tensor q = linear(x, path + "q_proj"), k = linear(x, path + "k_proj"), v = linear(x, path + "v_proj");
    const int64_t heads = size("heads"), dim = q.size(1) / heads, group = heads / (k.size(1) / dim);
    std::vector<at::Tensor> outputs;
    for (int64_t head = 0; head < heads; ++head) {
      at::Tensor query = q.narrow(1, head * dim, dim), key = k.narrow(1, head / group * dim, dim);
      if (has(path + "q_norm.weight")) query = norm(query, path + "q_norm"), key = norm(key, path + "k_norm");
      const at::Tensor weights = (at::matmul(turned(query), turned(key).t()) / std::sqrt(static_cast<double>(dim))).exp().tril();
      outputs.push_back(at::matmul(weights / weights.sum(-1, true), v.narrow(1, head / group * dim, dim)));
    }
    return linear(at::cat(outputs, 1), path + "o_proj");
  }

  const LlamaFile& file_;
  Values values_;
};

double llama_worst_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

// Logits of all ranks, without the vocabulary's padding.
at::Tensor whole_logits(const ForwardOutput& logits) { return at::cat(logits.ranks, 1).narrow(1, 0, 50); }

TEST(LlamaSmall, agrees_with_the_second_evaluation_at_every_rank_count) {
  const at::Tensor tokens = at::tensor({7, 3, 49, 0, 3, 12}, at::kLong);
  for (const SmallModel& small : small_models()) {
    if (small.architecture != "llama") continue;
    const ModelSpec spec = expanded(small.architecture, small.values);
    const LlamaFile file = file_of(spec);
    const Decoder decoder(file, spec);
    const at::Tensor states = decoder.states(tokens), logits = decoder.logits(states);
    for (const int size : {1, 2, 4}) {
      const Group group = cold_group(spec, size, [&](const Delivery& delivery) { return file.at(delivery.name); });
      const auto outputs = llama_forward(group.ranks, tokens);
      for (const at::Tensor& one : outputs[0].ranks) EXPECT_LT(llama_worst_difference(one, states), 1e-4) << small.name << size;
      EXPECT_LT(llama_worst_difference(whole_logits(outputs[1]), logits), 1e-4) << small.name << size;
    }
  }
}

TEST(LlamaSmall, depends_on_every_tensor) {
  const ModelSpec spec = expanded("llama", small_models()[2].values);
  const LlamaFile file = file_of(spec);
  const Group group = cold_group(spec, 2, [&](const Delivery& delivery) { return file.at(delivery.name); });
  const at::Tensor before = joined(run_forward(group.ranks, 1), 0);
  EXPECT_TRUE(joined(run_forward(group.ranks, 1), 0).equal(before));
  for (const Delivery& delivery : deliveries_of(spec)) {
    for (Model* model : group.ranks) ASSERT_TRUE(load_one(*model, delivery, file.at(delivery.name) * 1.25 + 0.1).ok());
    EXPECT_FALSE(joined(run_forward(group.ranks, 1), 0).equal(before)) << delivery.name;
    for (Model* model : group.ranks) ASSERT_TRUE(load_one(*model, delivery, file.at(delivery.name)).ok());
  }
}

TEST(WithExperts, each_layer_runs_on_its_own_once_deferred_steps_have_run) {
  for (const SmallModel& small : small_models()) {
    if (small.architecture == "llama") continue;
    const ModelSpec spec = expanded(small.architecture, small.values);
    const LlamaFile file = file_of(spec);
    const Group group = cold_group(spec, 2, [&](const Delivery& delivery) { return file.at(delivery.name); });
    for (Model* model : group.ranks) ASSERT_TRUE(process_model_after_loading(*model).ok());
    const auto outputs = run_forward(group.ranks, 1);
    ASSERT_EQ(outputs.size(), spec.layers.size()) << small.name;
    for (const ForwardOutput& output : outputs) EXPECT_TRUE(output.ranks[1].isfinite().all().item<bool>()) << output.name;
  }
}

}  // namespace
}  // namespace reloadlab::model
