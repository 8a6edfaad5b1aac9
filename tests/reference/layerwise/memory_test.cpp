// The check of the limit, held against what an update really takes: with a limit of that many bytes it goes through, with one less it
// does not.
#include "tests/reference/layerwise/rig.h"
#include "tests/reference/model/memory_probe.h"

namespace reloadlab::layerwise {
namespace {

struct Limited {
  std::string name;
  ModelSpec spec;
  std::string policy = "hardened";
  std::set<std::string> unsent = {};
  bool by_column = false;  // how matrices lie that are sent
};
void PrintTo(const Limited& each, std::ostream* out) { *out << each.name; }

LayerSpec quantized(LayerSpec spec, const char* quant, const char* tied_to = nullptr) {
  spec.quant = quant;
  if (tied_to) spec.tied_to = tied_to;
  return spec;
}

LayerSpec latent(const char* kv_b) {
  return layer_of("mla_attention",
                  {{"heads", int64_t{2}},
                   {"qk_nope_head_dim", int64_t{3}},
                   {"v_head_dim", int64_t{5}},
                   {"kv_lora_rank", int64_t{32}},
                   {"kv_b", std::string(kv_b)}},
                  "attn");
}

class Limits : public ::testing::TestWithParam<Limited> {
 protected:
  // Checkpoint 2, from a transport whose buffers the engine copies, so that the probe sees all that it keeps.
  static Status reload(Rig& rig, std::map<std::string, at::Tensor>& sent) {
    RELOADLAB_TRY(rig.prepare());
    for (const Delivery& delivery : rig.deliveries)
      if (!GetParam().unsent.contains(delivery.name)) RELOADLAB_TRY(rig.send(delivery.name, sent.at(delivery.name)));
    return rig.finish();
  }
  static Status reload_within(std::optional<int64_t> limit, int64_t& peak) {
    Rig rig(GetParam().spec, GetParam().policy, {.transport_reuses_buffers = true, .extra_bytes_limit = limit});
    rig.start();
    std::map<std::string, at::Tensor> sent;
    for (const Delivery& delivery : rig.deliveries) {
      at::Tensor& tensor = sent[delivery.name] = weight(delivery, 2);
      if (GetParam().by_column && tensor.dim() == 2) tensor = tensor.t().contiguous().t();
    }
    model::MemoryProbe probe;
    Status status = reload(rig, sent);
    peak = probe.peak();
    return status;
  }
};

TEST_P(Limits, are_what_an_update_takes) {
  int64_t peak = 0, within = 0;
  ASSERT_TRUE(reload_within({}, peak).ok());
  EXPECT_OK(reload_within(peak, within));
  EXPECT_EQ(within, peak);
  EXPECT_CODE(Code::rejected, reload_within(peak - 1, within));
  EXPECT_LT(within, peak);
}

std::vector<Limited> all() {
  const LayerSpec a = linear("a", 64, 32), b = linear("b", 64, 32), kv_b = linear("attn.kv_b_proj", 32, 16);
  std::vector<Limited> each{
      {"plain", model_of({a, b})},
      {"shadow", model_of({quantized(a, "fp8_per_channel"), b}), "hardened,shadow=keep"},
      {"permuted", model_of({quantized(a, "tile_permute"), b})},
      {"latent", model_of({latent("")})},
      {"latent_without_backup", model_of({latent("")}), "hardened,abort=unusable"},
      {"tied_without_backup", model_of({quantized(a, "fp8_per_channel"), quantized(b, "fp8_per_channel", "a.weight")}),
       "hardened,abort=unusable"},
      {"tied_with_biases", model_of({quantized(linear("a", 8, 64, {{"bias", true}}), "fp8_per_tensor"),
                                     quantized(linear("b", 8, 64, {{"bias", true}}), "fp8_per_tensor", "a.weight")})},
      {"loader_scratch", model_of({layer_of("composed", {{"size", 64L}}, "mixer", DType::bf16)})},
      {"by_column", model_of({linear("a", 72, 64), linear("b", 8, 8)}), "hardened", {}, true},
      {"by_column_without_backup", model_of({linear("a", 72, 64)}), "hardened,abort=unusable", {}, true},
      {"latent_of_a_child", model_of({latent("kv_b_proj.weight"), kv_b})},
      {"workspace", model_of({layer_of("attention", {{"heads", 4L}, {"workspace", 300L}}, "attn")})}};
  for (const char* quant : {"fp8_per_tensor", "fp8_per_channel", "fp8_block", "int8_per_channel"}) {
    const std::string name = quant;
    each.push_back({name, model_of({quantized(a, quant)})});
    each.push_back({name + "_tied", model_of({quantized(a, quant), quantized(b, quant, "a.weight")})});
    each.push_back({name + "_tied_thrice",
                    model_of({quantized(a, quant), quantized(b, quant, "a.weight"), quantized(linear("c", 64, 32), quant, "a.weight")})});
    const ModelSpec read = model_of({latent("kv_b_proj.weight"), quantized(kv_b, quant), linear("o")});
    each.push_back({name + "_read", read});
    each.push_back({name + "_read_alone", read, "hardened", {"attn.kv_b_proj.weight"}});
  }
  return each;
}

INSTANTIATE_TEST_SUITE_P(all, Limits, ::testing::ValuesIn(all()), [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace reloadlab::layerwise
