// Replay as a whole, with a candidate that is the plainest correct one: it loads straight into the live tensors.
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "reference/model/kind.h"
#include "sim/replay/beside.h"
#include "sim/replay/replay.h"
#include "tests/sim/checkpoint/safetensors_bytes.h"
#include "tests/sim/replay/tiny_case.h"

namespace reloadlab::sim {
namespace {

class SessionInPlace final : public Reloader {
 public:
  Status record(model::Model&) override { return {}; }
  Status prepare(model::Model&) override { return {}; }
  Status finish(model::Model&, const FinishConfig&) override { return {}; }
};

class Throwing final : public Reloader {
 public:
  Status record(model::Model&) override { return {}; }
  Status prepare(model::Model&) override { throw std::runtime_error("no"); }
  Status finish(model::Model&, const FinishConfig&) override { return {}; }
};

// Begins an update if it has been told to record.
class Recording final : public Reloader {
 public:
  Status record(model::Model&) override { return recorded_ = true, Status(); }
  Status prepare(model::Model&) override { return recorded_ ? Status() : Status(Code::misuse, "begin without record"); }
  Status finish(model::Model&, const FinishConfig&) override { return {}; }

 private:
  bool recorded_ = false;
};

// Leaves placeholders behind when its first update is given up, and writes into the kernel tensor that it kept when the second ends.
class LeavesPlaceholders final : public Reloader {
 public:
  Status record(model::Model&) override { return {}; }
  Status prepare(model::Model& model) override {
    const model::ParameterPtr handle = model.find_tensor("attn.qkv.weight");
    if (kernel_.defined()) return {};
    kernel_ = handle->tensor;
    handle->tensor = at::empty(kernel_.sizes(), kernel_.options().device(at::kMeta));
    return {};
  }
  Status finish(model::Model&, const FinishConfig&) override { return kernel_.zero_(), Status(); }

 private:
  at::Tensor kernel_;
};

// Has somebody beside the model who keeps what an update took, as a bridge to another language may, until he is told to look again.
struct Beside {
  at::Tensor kept;
};
class KeptBeside final : public Reloader {
 public:
  Status record(model::Model& model) override { return model.beside = std::make_shared<Beside>(), Status(); }
  Status prepare(model::Model&) override { return {}; }
  Status finish(model::Model& model, const FinishConfig&) override {
    std::static_pointer_cast<Beside>(model.beside)->kept = at::empty({1024});
    return {};
  }
};
void look_again(model::Model& model) { std::static_pointer_cast<Beside>(model.beside)->kept = at::Tensor(); }

// Leaves what a step derived on meta, on rank 1 alone.
class HelperOnMeta final : public Reloader {
 public:
  explicit HelperOnMeta(int rank) : rank_(rank) {}
  Status record(model::Model&) override { return {}; }
  Status prepare(model::Model&) override { return {}; }
  Status finish(model::Model& model, const FinishConfig&) override {
    for (auto& [name, tensor] : model.layers().front()->extra.tensors)
      if (rank_ == 1) tensor = at::empty(tensor.sizes(), tensor.options().device(at::kMeta));
    return {};
  }

 private:
  int rank_;
};

template <class Candidate>
CandidateInfo session_candidate() {
  return {.name = "plain", .system = "layerwise", .make_reloader = [](const CandidateContext&) -> Result<std::unique_ptr<Reloader>> {
            return std::unique_ptr<Reloader>(std::make_unique<Candidate>());
          }};
}

const RankRun& warm(const Evidence& evidence, int rank = 0) {
  return evidence.find(Variation::Kind::warm)->ranks[static_cast<size_t>(rank)];
}

int64_t count(const RankRun& run, EventKind kind) {
  return std::count_if(run.events.begin(), run.events.end(), [&](const Event& event) { return event.kind == kind; });
}

TEST(Replay, WhatStandsBesideAModelFollowsBeforeMemoryIsCounted) {
  for (const bool follows : {false, true}) {
    follow_models_by(follows ? look_again : nullptr);
    const Result<Evidence> evidence = replay(tiny_case({qkv_layer()}), session_candidate<KeptBeside>());
    follow_models_by(nullptr);
    ASSERT_TRUE(evidence.ok()) << evidence.status().message();
    const auto& outcomes = warm(*evidence).outcomes;
    const auto reload = std::ranges::find(outcomes, 1, &StepOutcome::step);
    ASSERT_NE(reload, outcomes.end());
    EXPECT_EQ(reload->extra_bytes_after, follows ? 0 : 4096);
  }
}

TEST(Replay, AForwardThatEndsOnMetaOnOneRankSaysNothing) {
  model::LayerSpec attention{.name = "c", .kind = "mla_attention"};
  attention.values = {{"heads", int64_t{2}}, {"qk_nope_head_dim", int64_t{1}}, {"v_head_dim", int64_t{2}}, {"kv_lora_rank", int64_t{4}}};
  model::fill_defaults(attention);
  Case the_case = tiny_case({attention}, 2);
  the_case.steps.push_back({.kind = StepKind::forward});
  CandidateInfo info = session_candidate<SessionInPlace>();
  const auto output_of = [&] {
    const Result<Evidence> evidence = replay(the_case, info);
    return evidence.ok() ? warm(*evidence).outcomes.back().output.has_value() : throw std::runtime_error(evidence.status().message());
  };
  EXPECT_TRUE(output_of());
  info.make_reloader = [](const CandidateContext& context) -> Result<std::unique_ptr<Reloader>> {
    return std::unique_ptr<Reloader>(std::make_unique<HelperOnMeta>(context.rank));
  };
  EXPECT_FALSE(output_of());
}

TEST(Replay, SeesTheColdLoadsBytesAfterAReloadInPlace) {
  const Result<Evidence> evidence = replay(tiny_case({qkv_layer()}, 2), session_candidate<SessionInPlace>());
  ASSERT_TRUE(evidence.ok()) << evidence.status().message();
  for (int rank = 0; rank < 2; ++rank) {
    const Execution* cold = evidence->find(Variation::Kind::cold, "B");
    ASSERT_NE(cold, nullptr);
    const CensusEntry* expected = cold->ranks[static_cast<size_t>(rank)].censuses.back().find("attn.qkv.weight");
    const CensusEntry* seen = warm(*evidence, rank).censuses[2].find("attn.qkv.weight");
    ASSERT_TRUE(expected && seen);
    EXPECT_EQ(seen->content->bytes, expected->content->bytes);
  }
}

TEST(Replay, EveryLoadIntoKernelStorageIsAKernelWrite) {
  const Result<Evidence> evidence = replay(tiny_case({qkv_layer()}), session_candidate<SessionInPlace>());
  ASSERT_TRUE(evidence.ok());
  EXPECT_EQ(count(warm(*evidence), EventKind::write_kernel), 6);  // three shards, two reloads
}

TEST(Replay, AWriteIntoAKernelTensorThatOnlyTheCandidateStillHasIsSeen) {
  Case the_case = tiny_case({qkv_layer()});
  the_case.steps = {load_step("A"), {.kind = StepKind::prepare}, {.kind = StepKind::abort}, {.kind = StepKind::prepare}};
  the_case.steps.push_back({.kind = StepKind::finish});
  const Result<Evidence> evidence = replay(the_case, session_candidate<LeavesPlaceholders>());
  ASSERT_TRUE(evidence.ok());
  const auto write = std::ranges::find(warm(*evidence).events, EventKind::write_kernel, &Event::kind);
  ASSERT_NE(write, warm(*evidence).events.end());
  EXPECT_EQ(write->step, 4);
  EXPECT_EQ(write->layer, 0);
}

// up.weight [12, 8] and a tensor that no layer takes.
TEST(Replay, WhatAFileHasBesideTheModelArrivesAsAnUnknownNameUnlessTheStepSaysWhatItSends) {
  TemporaryFolder folder;
  const std::string header = R"({"up.weight":{"dtype":"BF16","shape":[12,8],"data_offsets":[0,192]},)"
                             R"("lora.weight":{"dtype":"BF16","shape":[2],"data_offsets":[192,196]}})";
  Case the_case = tiny_case({linear_layer("up")});
  the_case.checkpoints[1].second = {.source = CheckpointSpec::Source::safetensors,
                                    .path = folder.write("b.safetensors", stored(header, 196))};
  the_case.steps = {load_step("A"), reload_step("B"), reload_step("B")};
  the_case.steps[2].plan.only = {"up.weight"};
  const Result<Evidence> evidence = replay(the_case, session_candidate<SessionInPlace>());
  ASSERT_TRUE(evidence.ok()) << evidence.status().message();
  std::vector<std::pair<int, std::string>> sent;
  for (const Event& event : warm(*evidence).events)
    if (event.kind == EventKind::load_begin) sent.emplace_back(event.step, event.text);
  EXPECT_EQ(sent, (std::vector<std::pair<int, std::string>>{{0, "up.weight"}, {1, "up.weight"}, {1, "lora.weight"}, {2, "up.weight"}}));
  EXPECT_TRUE(std::ranges::count(evidence->plan[0].loads, "lora.weight", &PlannedLoad::delivery));
}

TEST(Replay, AFaultStrikesOnceAtItsChance) {
  Case the_case = tiny_case({qkv_layer()});
  the_case.steps = {load_step("A"), reload_step("B")};
  the_case.steps[1].fault = Fault{Fault::At::copy_back, 1};
  const Result<Evidence> evidence = replay(the_case, session_candidate<SessionInPlace>());
  ASSERT_TRUE(evidence.ok());
  EXPECT_EQ(count(warm(*evidence), EventKind::fault), 1);
  EXPECT_EQ(count(warm(*evidence), EventKind::write_kernel), 1);
  EXPECT_FALSE(warm(*evidence).outcomes.back().status.ok());
}

TEST(Replay, AnExceptionThatCrossesTheBoundaryIsACrashOfTheCandidate) {
  const Result<Evidence> evidence = replay(tiny_case({qkv_layer()}), session_candidate<Throwing>());
  ASSERT_TRUE(evidence.ok());
  EXPECT_TRUE(warm(*evidence).outcomes[2].crashed);
}

// A kernel that reads rows which are not there: nobody hears of it before the device is waited for.
class Spoiling final : public Reloader {
 public:
  Status record(model::Model&) override { return {}; }
  Status prepare(model::Model& model) override {
    const at::Tensor weight = model.find_tensor("attn.qkv.weight")->tensor;
    weight.index_select(0, at::full({1}, 1 << 20, at::TensorOptions(at::kLong).device(weight.device())));
    return {};
  }
  Status finish(model::Model&, const FinishConfig&) override { return {}; }
};

TEST(Replay, ADeviceThatTheCandidateSpoiledIsTheCandidates) {
  Case the_case = tiny_case({qkv_layer()});
  the_case.world = WorldKind::sim;
  const Status status = replay(the_case, session_candidate<Spoiling>()).status();
  EXPECT_EQ(status.code(), Code::lost);
  EXPECT_TRUE(status.message().starts_with("warm: a kernel failed: aten::index_select on ")) << status.message();
}

TEST(Replay, TheCandidateRecordsOnceUnlessTheCaseSaysNever) {
  for (const Record record : {Record::after_construction, Record::never}) {
    Case the_case = tiny_case({qkv_layer()});
    the_case.record = record;
    const Result<Evidence> evidence = replay(the_case, session_candidate<Recording>());
    ASSERT_TRUE(evidence.ok());
    const bool told = record == Record::after_construction;
    EXPECT_EQ(count(warm(*evidence), EventKind::record), told ? 1 : 0);
    EXPECT_EQ(warm(*evidence).outcomes.front().step, -1);
    EXPECT_EQ(warm(*evidence).outcomes[2].status.ok(), told);
  }
}

TEST(Replay, AnUnreadableCheckpointIsNoEvidence) {
  Case the_case = tiny_case({qkv_layer()});
  the_case.checkpoints[1].second = {.source = CheckpointSpec::Source::safetensors, .path = "/nonexistent/model.safetensors"};
  const Result<Evidence> evidence = replay(the_case, session_candidate<SessionInPlace>());
  ASSERT_FALSE(evidence.ok());
  EXPECT_EQ(evidence.status().code(), Code::data);
}

TEST(Replay, NothingOutlivesTheModelOnAnyRank) {
  const Result<Evidence> evidence = replay(tiny_case({qkv_layer()}, 2), session_candidate<SessionInPlace>());
  ASSERT_TRUE(evidence.ok());
  for (const RankRun& run : evidence->find(Variation::Kind::repeat, {}, 4)->ranks) {
    EXPECT_EQ(run.outcomes.back().live_layers, 0);
    EXPECT_EQ(run.outcomes.back().live_parameters, 0);
    EXPECT_EQ(run.outcomes.back().live_bytes, 0);
  }
}

TEST(Replay, FreshMemoryHoldsTheExecutionsPoison) {
  const Result<Evidence> evidence = replay(tiny_case({qkv_layer()}), session_candidate<SessionInPlace>());
  ASSERT_TRUE(evidence.ok());
  const auto first_byte = [&](Variation::Kind kind, int index) {
    return evidence->find(kind, {}, index)->ranks[0].censuses.front().find("attn.qkv.weight")->content->bytes.front();
  };
  EXPECT_EQ(first_byte(Variation::Kind::warm, 0), std::byte{0xFF});
  EXPECT_EQ(first_byte(Variation::Kind::poison, 1), std::byte{0xA5});
}

TEST(Replay, ASourceThatFailsCallsNoLoader) {
  Case the_case = tiny_case({qkv_layer()});
  the_case.steps = {load_step("A"), reload_step("B")};
  the_case.steps[1].fault = Fault{Fault::At::source, 1};
  the_case.steps[1].outcome = Step::Outcome::error;
  const Result<Evidence> evidence = replay(the_case, session_candidate<SessionInPlace>());
  ASSERT_TRUE(evidence.ok()) << evidence.status().message();
  const RankRun& run = warm(*evidence);
  EXPECT_EQ(run.outcomes.back().status.message(), "not abandoned: injected fault");
  ASSERT_EQ(run.outcomes.back().load_statuses.size(), 2U);
  EXPECT_TRUE(run.outcomes.back().load_statuses[0].ok());
  EXPECT_EQ(run.outcomes.back().load_operators[1], 0);
  EXPECT_GT(run.outcomes.back().load_operators[0], 0);
}

// In place, so the weight holds exactly what came: q from A, the others from B.
TEST(Replay, TwoSourcesAreLoadedColdTogether) {
  Case the_case = tiny_case({qkv_layer()});
  Step one{.kind = StepKind::loads}, other{.kind = StepKind::loads};
  one.plan = {.checkpoint = "A", .only = {"attn.q_proj.weight"}};
  other.plan = {.checkpoint = "B", .omit = {"attn.q_proj.weight"}};
  the_case.steps = {load_step("B"), {.kind = StepKind::prepare}, one, other, {.kind = StepKind::finish}};
  const Result<Evidence> evidence = replay(the_case, session_candidate<SessionInPlace>());
  ASSERT_TRUE(evidence.ok()) << evidence.status().message();
  const auto content = [&](const Execution* execution, int step) {
    for (const Census& census : execution->ranks[0].censuses)
      if (census.step == step) return census.find("attn.qkv.weight")->content;
    return BlobPtr();
  };
  const Execution *mixed = evidence->find(Variation::Kind::cold, "A+B of step 4"), *plain = evidence->find(Variation::Kind::cold, "B");
  ASSERT_TRUE(mixed && plain);
  EXPECT_EQ(content(mixed, 0)->bytes, content(evidence->find(Variation::Kind::warm), 4)->bytes);
  EXPECT_NE(content(mixed, 0)->bytes, content(plain, 0)->bytes);
}

// Rank 1 holds nothing of the weight but padding. The bias from A completes its layer, and the one from B comes too late.
TEST(Replay, EachRankMayHaveAMixtureOfItsOwn) {
  model::LayerSpec row{.name = "r", .kind = "row_parallel_linear"};
  row.values = {{"in", int64_t{4}}, {"out", int64_t{2}}, {"bias", true}, {"pad_cols_to", int64_t{8}}};
  model::fill_defaults(row);
  Case the_case = tiny_case({row}, 2);
  Step one{.kind = StepKind::loads}, other{.kind = StepKind::loads};
  one.plan = {.checkpoint = "A", .only = {"r.bias"}};
  other.plan = {.checkpoint = "B", .order = OrderKind::reversed};
  the_case.steps = {load_step("B"), {.kind = StepKind::prepare}, one, other, {.kind = StepKind::finish}};
  const Result<Evidence> evidence = replay(the_case, session_candidate<SessionInPlace>());
  ASSERT_TRUE(evidence.ok()) << evidence.status().message();
  EXPECT_EQ(evidence->plan[0].states.back().checkpoint, "B");
  ASSERT_EQ(evidence->plan[1].mixtures.size(), 1U);
  EXPECT_EQ(evidence->plan[1].mixtures[0].from, (std::vector<std::string>{"B", "A"}));
}

// The weight's bytes are those of a load, its loader's transform is missing.
TEST(Replay, AFirstLoadWithoutLoadersLeavesOutWhatTheyDo) {
  model::LayerSpec mixer{.name = "mixer", .kind = "composed", .values = {{"size", int64_t{4}}}};
  model::fill_defaults(mixer);
  Case the_case = tiny_case({mixer});
  the_case.steps = {load_step("A"), reload_step("B")};
  const Result<Evidence> loaded = replay(the_case, session_candidate<SessionInPlace>());
  the_case.steps[0].plan.direct = true;
  const Result<Evidence> written = replay(the_case, session_candidate<SessionInPlace>());
  ASSERT_TRUE(loaded.ok() && written.ok());
  const auto bytes = [](const Evidence& evidence, const std::string& path) {
    return warm(evidence).censuses[1].find(path)->content->bytes;
  };
  EXPECT_EQ(bytes(*loaded, "mixer.D"), bytes(*written, "mixer.D"));
  EXPECT_NE(bytes(*loaded, "mixer.A"), bytes(*written, "mixer.A"));
}

}  // namespace
}  // namespace reloadlab::sim
