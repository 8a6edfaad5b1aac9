// Point 2 with shadow=keep: a quantized layer that comes in part is completed from the copy of what was loaded.
#include "tests/reference/layerwise/rig.h"
#include "tests/reference/model/memory_probe.h"

namespace reloadlab::layerwise {
namespace {

LayerSpec shadow_quantized(const std::string& name, Values more = {}) {
  LayerSpec spec = layer_of("merged_column_parallel_linear", std::move(more), name);
  spec.values.try_emplace("in", int64_t{16});
  spec.values.try_emplace("outs", std::vector<int64_t>{8, 8});
  spec.quant = "fp8_per_tensor";
  return spec;
}

ModelSpec two_layers() { return model_of({shadow_quantized("up"), linear("down", 16, 4)}); }

constexpr int64_t shadow_size = 16 * 16 * 4;  // of up.weight, f32

const std::string kept = "hardened,shadow=keep";

TEST(Shadow, without_one_a_quantized_layer_has_to_come_whole) {
  Rig rig(two_layers());
  rig.start();
  const Picture before = rig.now();
  EXPECT_CODE(Code::rejected, rig.reload(2, {"up.0.weight"}));
  EXPECT_TRUE(same_in_place(rig.now(), before));
}

TEST(Shadow, completes_a_layer_that_comes_in_part) {
  for (const std::string& policy : {kept, kept + ",abort=unusable"}) {
    Rig rig(two_layers(), policy);
    rig.start();
    EXPECT_OK(rig.reload(2, {"up.0.weight"}));
    EXPECT_FALSE(same_content(rig.now(), cold(two_layers(), 2)));
    EXPECT_OK(rig.reload(2, {"up.1.weight"}));
    EXPECT_TRUE(same_content(rig.now(), cold(two_layers(), 2)));
    EXPECT_OK(rig.reload(1, {"down.weight"}));
    EXPECT_OK(rig.reload(1, {"up.1.weight"}));
    EXPECT_TRUE(same_content(rig.now(), cold(two_layers(), 1)));
  }
}

// The first update has changed nothing of what the second one is completed from.
TEST(Shadow, an_abandoned_update_leaves_it_as_it_was) {
  Rig rig(two_layers(), kept);
  rig.start();
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send_all(2));
  EXPECT_OK(rig.abort());
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send_all(2, {"up.0.weight"}));
  EXPECT_OK(rig.abort());
  EXPECT_OK(rig.reload(1, {"up.0.weight"}));
  EXPECT_TRUE(same_content(rig.now(), cold(two_layers(), 1)));
}

TEST(Shadow, an_update_that_failed_without_a_backup_leaves_none_to_complete_from) {
  Rig rig(two_layers(), kept + ",abort=unusable");
  rig.start();
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send_all(2));
  EXPECT_OK(rig.abort());
  EXPECT_TRUE(rig.engine->unusable());
  EXPECT_CODE(Code::rejected, rig.reload(1, {"up.0.weight"}));
  EXPECT_OK(rig.reload(1));
  EXPECT_OK(rig.reload(2, {"up.0.weight"}));
}

TEST(Shadow, is_the_same_bytes_before_and_after_an_update_and_dies_with_the_model) {
  model::MemoryProbe probe;
  int64_t plain = 0;
  for (const bool shadow : {false, true}) {
    Rig rig(two_layers(), shadow ? kept : "hardened");
    const int64_t built = probe.live();
    rig.start();
    const int64_t loaded = probe.live();
    if (!shadow) plain = loaded - built;
    EXPECT_EQ(loaded - built, plain + (shadow ? shadow_size : 0));
    for (int number : {2, 1}) {
      EXPECT_OK(rig.reload(number));
      EXPECT_EQ(probe.live(), loaded);
    }
    rig.model.reset();
    EXPECT_EQ(probe.live(), 0) << "with the engine alive";
  }
}

// Sources 1024 and 256 bytes; the group in process: backup 256 + 4, materialized 1024, post-load 4 + 5 · 256, and the new shadow.
TEST(Shadow, counts_towards_the_limit) {
  constexpr int64_t needed = 1024 + 260 + 1024 + 1284 + shadow_size;
  for (int64_t limit : {needed - 1, needed}) {
    Rig rig(model_of({shadow_quantized("up")}), kept, {.extra_bytes_limit = limit});
    rig.start();
    EXPECT_OK(rig.prepare());
    EXPECT_OK(rig.send("up.0.weight"));
    EXPECT_CODE(limit < needed ? Code::rejected : Code::ok, rig.send("up.1.weight"));
  }
}

// Each end of the tie is quantized from the one tensor that was loaded.
ModelSpec tied_layers() {
  ModelSpec spec = model_of({linear("up", 16, 16), linear("head", 16, 16)});
  for (LayerSpec& layer : spec.layers) layer.quant = "fp8_per_channel";
  spec.layers[1].tied_to = "up.weight";
  return spec;
}

TEST(Shadow, tied_layers_share_one_copy) {
  const ModelSpec spec = tied_layers();
  constexpr int64_t copy = shadow_size;
  model::MemoryProbe probe;
  int64_t plain = 0;
  for (const std::string& policy : {std::string("hardened"), kept, kept + ",abort=unusable"}) {
    Rig rig(spec, policy);
    const int64_t built = probe.live();
    rig.start();
    if (plain == 0) plain = probe.live() - built;
    EXPECT_EQ(probe.live() - built, plain + (policy == "hardened" ? 0 : copy)) << policy;
    EXPECT_OK(rig.reload(2));
    EXPECT_EQ(probe.live() - built, plain + (policy == "hardened" ? 0 : copy)) << policy;
    EXPECT_TRUE(same_content(rig.now(), cold(spec, 2)));
  }
}

// The second layer has no handle of its own.
TEST(Shadow, completes_tied_layers_that_come_in_part) {
  ModelSpec spec = model_of({shadow_quantized("up"), linear("head", 16, 16)});
  for (LayerSpec& layer : spec.layers) layer.quant = "fp8_per_channel";
  spec.layers[1].tied_to = "up.weight";
  for (const std::string& policy : {kept, kept + ",abort=unusable"}) {
    Rig rig(spec, policy);
    rig.start();
    for (const char* part : {"up.0.weight", "up.1.weight"}) EXPECT_OK(rig.reload(2, {part}));
    EXPECT_TRUE(same_content(rig.now(), cold(spec, 2)));
  }
}

// The least limit under which the model reloads.
int64_t least_limit(const ModelSpec& spec, const std::string& policy) {
  int64_t refused = 0, enough = 1 << 20;
  while (enough - refused > 1) {
    const int64_t limit = (refused + enough) / 2;
    Rig rig(spec, policy, {.extra_bytes_limit = limit});
    rig.start();
    (rig.reload(2).ok() ? enough : refused) = limit;
  }
  return enough;
}

TEST(Shadow, the_copy_that_tied_layers_share_counts_once_towards_the_limit) {
  for (const std::string& abort : {std::string(), std::string(",abort=unusable")})
    EXPECT_EQ(least_limit(tied_layers(), kept + abort), least_limit(tied_layers(), "hardened" + abort) + shadow_size) << abort;
}

TEST(Shadow, a_committed_copy_that_tied_layers_share_counts_once) {
  ModelSpec spec = tied_layers();
  spec.layers.push_back(linear("last", 64, 64));
  spec.layers.back().quant = "tile_permute";
  EXPECT_EQ(least_limit(spec, kept), least_limit(spec, "hardened") + shadow_size);
}

TEST(Shadow, where_no_first_load_was_seen_the_first_update_has_to_bring_the_layer_whole) {
  Rig rig(two_layers(), kept);
  EXPECT_OK(rig.engine->record(*rig.model));
  EXPECT_OK(model::process_model_after_loading(*rig.model));
  EXPECT_OK(rig.engine->first_load_done(*rig.model));
  EXPECT_CODE(Code::rejected, rig.reload(2, {"up.0.weight"}));
  EXPECT_OK(rig.reload(2));
  EXPECT_OK(rig.reload(1, {"down.weight"}));
  EXPECT_OK(rig.reload(2, {"up.0.weight", "down.weight"}));
}

TEST(Shadow, what_can_be_read_from_the_kernel_has_none) {
  ModelSpec spec = model_of({linear("up", 16, 16)});
  spec.layers[0].quant = "tile_permute";
  model::MemoryProbe probe;
  int64_t plain = 0;
  for (const std::string& policy : {std::string("hardened"), kept}) {
    Rig rig(spec, policy);
    rig.start();
    if (plain == 0) plain = probe.live();
    EXPECT_EQ(probe.live(), plain);
  }
}

}  // namespace
}  // namespace reloadlab::layerwise
