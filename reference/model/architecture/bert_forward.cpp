#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <cmath>

#include "reference/model/architecture/lockstep.h"

namespace reloadlab::model {
namespace {

int64_t integer(const Model& model, std::string_view key) { return std::get<int64_t>(model.spec.values.find(key)->second); }

PerRank bert_sum(const PerRank& a, const PerRank& b) {
  PerRank results;
  for (size_t rank = 0; rank < a.size(); ++rank) results.push_back(a[rank] + b[rank]);
  return results;
}

// Attention of the rank's own heads; qkv is [tokens, 3 * heads * head_dim].
at::Tensor attend(const Model& model, const at::Tensor& qkv) {
  const int64_t tokens = qkv.size(0), heads = integer(model, "heads") / model.tp.size, head_dim = qkv.size(1) / (3 * heads);
  const auto part = [&](int64_t i) {
    return qkv.narrow(1, i * heads * head_dim, heads * head_dim).reshape({tokens, heads, head_dim}).transpose(0, 1);
  };
  const at::Tensor scores = at::matmul(part(0), part(1).transpose(1, 2)) / std::sqrt(static_cast<double>(head_dim));
  return at::matmul(at::softmax(scores, -1), part(2)).transpose(0, 1).reshape({tokens, heads * head_dim});
}

PerRank embed(const Lockstep& lockstep, const at::Tensor& tokens) {
  const PerRank words = lockstep.run("embeddings.word", tokens);
  const PerRank types = lockstep.run("embeddings.token_type", at::zeros(tokens.sizes(), at::kLong));
  const PerRank positions = lockstep.run("embeddings.position", at::arange(tokens.size(0), at::kLong));
  return lockstep.run("embeddings.norm", bert_sum(bert_sum(words, types), positions));
}

PerRank run_block(const Lockstep& lockstep, int64_t block, const PerRank& states) {
  const auto name = [&](std::string_view part) { return fmt::format("blocks.{}.{}", block, part); };
  const PerRank heads = lockstep.map(lockstep.run(name("qkv"), states), attend);
  const PerRank attended = lockstep.run(name("attention_norm"), bert_sum(lockstep.run(name("attention_output"), heads), states));
  const PerRank wide = lockstep.map(lockstep.run(name("up"), attended), [](const Model&, const at::Tensor& x) { return at::gelu(x); });
  return lockstep.run(name("output_norm"), bert_sum(lockstep.run(name("down"), wide), attended));
}

// tanh(W x₀ + b), each rank with its slice of the first token's state.
PerRank pool(const Lockstep& lockstep, const PerRank& states) {
  const PerRank slices = lockstep.map(states, [](const Model& model, const at::Tensor& x) {
    const int64_t length = x.size(1) / model.tp.size;
    return x.select(0, 0).narrow(0, length * model.tp.rank, length);
  });
  return lockstep.map(lockstep.run("pooler", slices), [](const Model&, const at::Tensor& x) { return at::tanh(x); });
}

}  // namespace

std::vector<ForwardOutput> bert_forward(std::span<Model* const> ranks, const at::Tensor& tokens, const Reduce& reduce) {
  at::NoGradGuard no_grad;
  const Lockstep lockstep(ranks, reduce);
  PerRank states = embed(lockstep, tokens);
  for (int64_t block = 0; block < integer(*ranks.front(), "blocks"); ++block) states = run_block(lockstep, block, states);
  return {{"encoder", states}, {"pooler", pool(lockstep, states)}};
}

}  // namespace reloadlab::model
