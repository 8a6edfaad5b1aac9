// A dense decoder on one sequence: causal attention of the rank's own heads, key-value heads shared by groups of query heads.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softmax.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "reference/model/architecture/lockstep.h"

namespace reloadlab::model {
namespace {

int64_t llama_integer(const Model& model, std::string_view key) { return std::get<int64_t>(model.spec.values.find(key)->second); }
bool flag(const Model& model, std::string_view key) { return std::get<bool>(model.spec.values.find(key)->second); }

PerRank llama_sum(const PerRank& a, const PerRank& b) {
  PerRank results;
  for (size_t rank = 0; rank < a.size(); ++rank) results.push_back(a[rank] + b[rank]);
  return results;
}

// Heads on one rank: as many blocks of columns of what its projection gives.
struct Heads {
  int64_t queries, keys, elements;
  Heads(const Model& model, const at::Tensor& qkv) : queries(llama_integer(model, "heads") / model.tp.size) {
    const int64_t given = llama_integer(model, "kv_heads");
    keys = std::max<int64_t>(1, (given > 0 ? given : llama_integer(model, "heads")) / model.tp.size);
    elements = qkv.size(1) / (queries + 2 * keys);
  }
};

class LlamaAttention {
 public:
  LlamaAttention(const Lockstep& lockstep, const Model& model, int64_t block)
      : lockstep_(lockstep), path_(fmt::format("layers.{}.self_attn.", block)), normalized_(flag(model, "qk_norm")) {}

  PerRank run(const PerRank& states) const {
    const PerRank qkv = lockstep_.run(path_ + "qkv_proj", states);
    const PerRank queries = prepared(
        qkv, "q_norm", [](const Heads&) { return 0; }, [](const Heads& heads) { return heads.queries; });
    const PerRank keys = prepared(
        qkv, "k_norm", [](const Heads& heads) { return heads.queries; }, [](const Heads& heads) { return heads.keys; });
    PerRank attended;
    for (size_t rank = 0; rank < qkv.size(); ++rank) attended.push_back(attend(queries[rank], keys[rank], qkv[rank]));
    return lockstep_.run(path_ + "o_proj", attended);
  }

 private:
  // The rank's heads from `first` on, each normalized where the model does that, and turned by its token's position: [heads, tokens, d].
  template <class First, class Count>
  PerRank prepared(const PerRank& qkv, const char* norm, First&& first, Count&& count) const {
    PerRank rows = lockstep_.map(qkv, [&](const Model& model, const at::Tensor& x) {
      const Heads heads(model, x);
      const at::Tensor mine = x.narrow(1, first(heads) * heads.elements, count(heads) * heads.elements);
      return mine.reshape({x.size(0), count(heads), heads.elements}).transpose(0, 1).clone();
    });
    if (normalized_) rows = lockstep_.run(path_ + norm, rows);
    for (int64_t head = 0; head < rows.front().size(0); ++head) {
      const PerRank one =
          lockstep_.run("rotary_emb", lockstep_.map(rows, [&](const Model&, const at::Tensor& x) { return x.select(0, head); }));
      for (size_t rank = 0; rank < rows.size(); ++rank) rows[rank].select(0, head).copy_(one[rank]);
    }
    return rows;
  }

  static at::Tensor attend(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& qkv) {
    const int64_t tokens = queries.size(1), elements = queries.size(2), group = queries.size(0) / keys.size(0);
    const int64_t columns = keys.size(0) * elements;
    const at::Tensor values = qkv.narrow(1, qkv.size(1) - columns, columns).reshape({tokens, keys.size(0), elements}).transpose(0, 1);
    const at::Tensor later = at::ones({tokens, tokens}, queries.options().dtype(at::kBool)).triu(1);
    const at::Tensor scores =
        at::matmul(queries, keys.repeat_interleave(group, 0).transpose(1, 2)) / std::sqrt(static_cast<double>(elements));
    const at::Tensor weights = at::softmax(scores.masked_fill(later, -std::numeric_limits<float>::infinity()), -1);
    return at::matmul(weights, values.repeat_interleave(group, 0)).transpose(0, 1).reshape({tokens, queries.size(0) * elements});
  }

  const Lockstep& lockstep_;
  std::string path_;
  bool normalized_;
};

PerRank run_mlp(const Lockstep& lockstep, const std::string& path, const PerRank& states) {
  const PerRank wide = lockstep.map(lockstep.run(path + ".gate_up_proj", states), [](const Model&, const at::Tensor& both) {
    const int64_t share = both.size(1) / 2;
    return at::silu(both.narrow(1, 0, share)) * both.narrow(1, share, share);
  });
  return lockstep.run(path + ".down_proj", wide);
}

}  // namespace

std::vector<ForwardOutput> llama_forward(std::span<Model* const> ranks, const at::Tensor& tokens, const Reduce& reduce) {
  at::NoGradGuard no_grad;
  const Lockstep lockstep(ranks, reduce);
  const Model& model = *ranks.front();
  PerRank states = lockstep.run("embed_tokens", tokens);
  for (int64_t block = 0; block < llama_integer(model, "blocks"); ++block) {
    const std::string path = fmt::format("layers.{}.", block);
    states = llama_sum(states, LlamaAttention(lockstep, model, block).run(lockstep.run(path + "input_layernorm", states)));
    states = llama_sum(states, run_mlp(lockstep, path + "mlp", lockstep.run(path + "post_attention_layernorm", states)));
  }
  const PerRank last = lockstep.run("norm", states);
  return {{"states", last}, {"logits", lockstep.run("lm_head", last)}};
}

}  // namespace reloadlab::model
