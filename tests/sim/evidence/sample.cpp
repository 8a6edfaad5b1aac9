#include "tests/sim/evidence/sample.h"

#include "sim/evidence/fingerprint.h"

namespace reloadlab::sim {
namespace {

BlobPtr sample_blob(std::initializer_list<int> bytes) {
  Bytes content;
  for (int byte : bytes) content.push_back(static_cast<std::byte>(byte));
  return make_blob(std::move(content));
}

Step full_step() {
  Step step{.kind = StepKind::reload, .at = {12, 5}, .fault = Fault{Fault::At::post_load_middle, 3}, .abort_after = 7};
  step.outcome = Step::Outcome::error;
  step.times = 2;
  step.body = {Step{.kind = StepKind::forward}};
  step.plan = {.checkpoint = "B",
               .order = OrderKind::explicit_list,
               .order_seed = 18446744073709551615ull,
               .order_list = {"b", "a"},
               .chunk = 4,
               .batch = 5,
               .source = LoadPlan::Source::ipc,
               .handle = LoadPlan::Handle::closed};
  step.plan.repeat = {{"a", 3}};
  step.plan.only = {"o"}, step.plan.omit = {"m"}, step.plan.excess = {"x"}, step.plan.unknown = {"u"};
  step.plan.wrong = {{"w", Shape{2, 3}, DType::i8}};
  step.plan.resolve = LoadPlan::Resolve::before_prepare;
  step.pass = {.deviations = {{Deviation::skip, "fc"}}, .stream = Pass::Stream::joined, .ranks = {0}, .lost = Pass::Lost{1, "fc"}};
  step.graphs = {.sizes = {1, 8}, .shared_pool = true, .mode = Graphs::Mode::global};
  step.via = Via::layerwise;
  step.in_place = true;
  return step;
}

Case full_case() {
  Case the_case{
      .scenario = "padded", .file = "scenarios/padded.yaml", .variant = "ranks=1", .about = "Über padding", .system = "layerwise"};
  the_case.tags = {"smoke"};
  the_case.world = WorldKind::sim;
  the_case.model = {.dtype = DType::f64, .flags = {{"reload", true}}, .architecture = "bert", .values = {{"hidden", int64_t{64}}}};
  the_case.model.layers = {{.name = "fc", .kind = "linear", .dtype = DType::f16, .quant = "tile_permute", .tied_to = "embed.weight"}};
  the_case.model.layers[0].values = {
      {"flag", true}, {"list", std::vector<int64_t>{1, 2}}, {"number", 0.5}, {"size", int64_t{3}}, {"text", std::string("t")}};
  the_case.models = 2;
  the_case.series = {{.name = "o", .layers = {"fc"}, .first = 3, .indices = {3}, .prefetch = 2, .group = "dp", .ranks = {0, 2}}};
  the_case.collectives = {Collectives::Order::gloo, 1};
  the_case.allocator = GpuAllocator::expandable_segments;
  the_case.timing = Timing{.broadcast = 7, .before = {1}, .after = {2, 3}, .slow = {4}};
  the_case.checkpoints = {{"B", {CheckpointSpec::Source::perturbed, 9, "path", "bert", "A", {3, 9}}}};
  the_case.record = Record::never;
  the_case.steps = {full_step()};
  the_case.laws = {"no_leak"};
  the_case.expect.completed = Expect::Completed::at_finish;
  the_case.limits.extra_bytes = 4096;
  the_case.seed = 5;
  the_case.delays = 8;
  return the_case;
}

RankRun full_run() {
  CensusEntry entry{
      .path = "fc.weight", .layer = "fc", .kind = CensusEntry::Kind::buffer, .persistent = false, .on_meta = true, .handle = 1};
  entry.storage = 2, entry.offset = 3, entry.shape = {2}, entry.strides = {1}, entry.dtype = DType::u8;
  entry.tensor_class = "Buffer", entry.loader = "-", entry.attributes = "a=1", entry.content = sample_blob({1, 255}), entry.host = 0.1;
  StepOutcome outcome{.step = 0, .status = Status(Code::rejected, "no"), .load_statuses = {Status(), Status(Code::failed, "x")}};
  outcome.crashed = outcome.unusable = true;
  outcome.extra_bytes_peak = 1, outcome.extra_bytes_after = 2, outcome.live_layers = 3, outcome.live_parameters = 4;
  outcome.live_allocations = 5, outcome.live_bytes = 6, outcome.peak_bytes = 9, outcome.copies = 10, outcome.copied_bytes = 11,
  outcome.output = sample_blob({7});
  return {.events = {{EventKind::write_kernel, 0, 4, 0, 6, 7, "weight"}},
          .censuses = {{0, {entry}, {{"fc.weight", {"fc.q"}, sample_blob({7}), 0.25}}, "flag=1"}},
          .outcomes = {outcome},
          .coverage = {{CoverageReport::Kind::unexpected, 0, "fc", "weight"}},
          .at_post_load = {{0, "fc.weight", {1}, DType::boolean, sample_blob({1})}},
          .reads = {{0, 0, "weight", 5, 6, {1}, DType::u8, sample_blob({7})}},
          .graph_reads = {{0, 8, "fc", 11, sample_blob({7})}},
          .races = {{.first = {"stream 1", "broadcast", "reach", 0, true},
                     .second = {"stream 2", "copy", "read", 0, false},
                     .turned = true,
                     .witness = "benign",
                     .schedule = "s1",
                     .reader = "fc on rank 0 in step 0",
                     .number = 3}},
          .unseen = "a kernel",
          .paces = {{0, 10, 20}}};
}

RankPlan full_plan() {
  PlannedLoad load{.step = 0, .index = 1, .delivery = "d", .layer = "fc", .slot = "weight", .placements = {{{1}, {2}, {3}}}, .bytes = 8};
  load.fresh = 4, load.excess = load.wrong = load.completes = true;
  return {.loads = {load},
          .totals = {{"fc", 4}},
          .missing = {{0, "fc", "weight", 2}},
          .peaks = {{0, 64}},
          .states = {{0, "B", true, true}},
          .refusals = {{0, 1}}};
}

}  // namespace

Evidence sample_evidence() {
  Evidence evidence{.the_case = full_case(), .candidate = "layerwise@seed", .declared = {{"abort", "none"}}, .layers = {"fc"}};
  evidence.deliveries = {{"d", {4}, DType::f16, "fc", "weight", "q", 3, "w1"}};
  evidence.transforms = {{"fc.weight", model::SlotSpec::Transform::negate}};
  evidence.plan = {full_plan()};
  Variation variation{.kind = Variation::Kind::fault, .name = "n", .index = 1, .fault = Fault{Fault::At::copy_back, 2}};
  evidence.executions = {
      {variation, {full_step()}, {full_run()}, "hang", {"host 0 runs"}, {{0, "stream 1", "copy", "read", 0, 1, 1, 2, 4}}, 0}};
  return evidence;
}

}  // namespace reloadlab::sim
