#include "sim/evidence/store.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "sim/evidence/fingerprint.h"
#include "tests/sim/evidence/sample.h"

namespace reloadlab::sim {
namespace {

std::span<const std::byte> store_bytes_of(const std::vector<uint8_t>& octets) { return std::as_bytes(std::span(octets)); }

// Every field in one line: what is written out must not silently lose one.
constexpr std::string_view kGolden =
    R"({"blobs":["Af8=","Bw==","AQ=="],"evidence":4,"run":{"candidate":"layerwise@seed","case":{"about":"Über padding",)"
    R"("allocator":"expandable_segments",)"
    R"("checkpoints":[["B",{"at":{"column":9,"line":3},"base":"A","map":"bert","path":"path","seed":9,"source":"perturbed"}]],)"
    R"("collectives":{"at_once":1,"order":"gloo"},"delays":8,"expect":{"completed":"at_finish"},)"
    R"("file":"scenarios/padded.yaml","laws":["no_leak"],"limits":{"extra_bytes":4096},"model":{"architecture":"bert","dtype":"f64",)"
    R"("flags":{"reload":true},"layers":[)"
    R"({"dtype":"f16","kind":"linear","name":"fc","quant":"tile_permute","tied_to":"embed.weight","values":{"flag":true,"list":[1,2],)"
    R"("number":0.5,"size":3,"text":"t"}}],"values":{"hidden":64}},"models":2,"record":"never","scenario":"padded","seed":5,)"
    R"("series":[{"first":3,"group":"dp","indices":[3],"layers":["fc"],"name":"o","prefetch":2,"ranks":[0,2]}],"steps":[STEP],)"
    R"("system":"layerwise",)"
    R"("tags":["smoke"],"timing":{"after":[2,3],"before":[1],"broadcast":7,"slow":[4]},"variant":"ranks=1",)"
    R"("world":"sim"},"declared":{"abort":"none"},"deliveries":[{"dtype":"f16","expert":3,)"
    R"("layer":"fc","name":"d","part":"w1","shape":[4],"shard":"q","slot":"weight"}],"executions":[{"ranks":[{"at_post_load":[)"
    R"({"content":2,"dtype":"bool","path":"fc.weight","shape":[1]}],"censuses":[{"derived":[{"content":1,"host":0.25,)"
    R"("path":"fc.weight","sources":["fc.q"]}],"entries":[{"attributes":"a=1","class":"Buffer",)"
    R"("content":0,"dtype":"u8","handle":1,"host":0.1,"kind":"buffer","layer":"fc","loader":"-","offset":3,"on_meta":true,)"
    R"("path":"fc.weight","persistent":false,"shape":[2],"storage":2,"strides":[1]}],"flags":"flag=1","step":0}],"coverage":[)"
    R"({"kind":"unexpected","layer":"fc","slot":"weight","step":0}],"events":[{"kind":"write_kernel","layer":0,"load":4,"numel":6,)"
    R"("step":0,"text":"weight","value":7}],"graph_reads":[{"checksum":11,"output":1,"path":"fc","size":8,"step":0}],)"
    R"("outcomes":[{"copied_bytes":11,"copies":10,"crashed":true,"extra_bytes_after":2,"extra_bytes_peak":1,)"
    R"("live_allocations":5,"live_bytes":6,"live_layers":3,"live_parameters":4,"load_statuses":[null,{"code":"failed","message":"x"}],)"
    R"("output":1,"peak_bytes":9,"status":{"code":"rejected","message":"no"},"step":0,"unusable":true}],)"
    R"("paces":[{"begin":10,"end":20,"step":0}],"races":[{"first":{"about":"reach","operation":"broadcast","step":0,"stream":"stream 1",)"
    R"("writes":true},"number":3,"reader":"fc on rank 0 in step 0","schedule":"s1",)"
    R"("second":{"about":"read","operation":"copy","step":0,"stream":"stream 2"},"turned":true,)"
    R"("witness":"benign"}],"reads":[{"content":1,"dtype":"u8","layer":0,"offset":6,"shape":[1],"slot":"weight","step":0,)"
    R"("storage":5}],"unseen":"a kernel"}],"steps":[STEP],"stopped":"hang","stopped_in":0,)"
    R"("timeline":[{"about":"read","end":2,"model":1,"operation":"copy","point":4,"rank":0,"start":1,)"
    R"("step":0,"stream":"stream 1"}],"variation":{"fault":)"
    R"({"at":"copy_back","nth":2},"index":1,"kind":"fault","name":"n"},"waits":["host 0 runs"]}],)"
    R"("layers":["fc"],"plan":[{"loads":[{"bytes":8,)"
    R"("completes":true,"delivery":"d","excess":true,"fresh":4,"index":1,"layer":"fc","placements":[{"extent":[3],"source":[1],)"
    R"("target":[2]}],"slot":"weight","step":0,"wrong":true}],"missing":[{"elements":2,"layer":"fc","slot":"weight"}],)"
    R"("peaks":[{"extra_bytes":64}],"refusals":[{"load":1}],"states":[{"checkpoint":"B","incomplete":true,)"
    R"("partial":true}],"totals":[{"layer":"fc",)"
    R"("loadable":4}]}],"transforms":{"fc.weight":"negate"}}})";
constexpr std::string_view kStep =
    R"({"abort_after":7,"at":{"column":5,"line":12},"body":[{"kind":"forward"}],"fault":{"at":"post_load_middle",)"
    R"("nth":3},"graphs":{"mode":"global","shared_pool":true,"sizes":[1,8]},)"
    R"("in_place":true,"kind":"reload","outcome":"error","pass":{"deviations":[{"deviation":"skip","layer":"fc"}],)"
    R"("lost":{"after":"fc","rank":1},"ranks":[0],"stream":"joined"},)"
    R"("plan":{"batch":5,"checkpoint":"B","chunk":4,"excess":["x"],"handle":"closed","omit":["m"],"only":["o"],)"
    R"("order":"explicit_list",)"
    R"("order_list":["b","a"],"order_seed":18446744073709551615,"repeat":[{"tensor":"a","times":3}],)"
    R"("resolve":"before_prepare","source":"ipc",)"
    R"("unknown":["u"],"wrong":[{"dtype":"i8","shape":[2,3],"tensor":"w"}]},"times":2,"via":"layerwise"})";

std::string golden() {
  std::string text(kGolden);
  for (size_t at; (at = text.find("STEP")) != std::string::npos;) text.replace(at, 4, kStep);
  return text;
}

TEST(Store, EveryFieldIsWritten) { EXPECT_EQ(to_text(sample_evidence()), golden()); }

TEST(Store, TextComesBackAsItWent) {
  const Result<Evidence> back = evidence_from_text(golden());
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(to_text(*back), golden());
}

TEST(Store, CborComesBackAsItWent) {
  const std::vector<uint8_t> cbor = to_cbor(sample_evidence());
  const Result<Evidence> back = evidence_from_cbor(store_bytes_of(cbor));
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(to_text(*back), golden());
}

TEST(Store, EqualContentIsStoredOnceAndSharedAgain) {
  Evidence evidence = sample_evidence();
  RankRun& run = evidence.executions[0].ranks[0];
  run.censuses.push_back(run.censuses[0]);
  run.censuses.back().entries[0].content = make_blob(run.censuses[0].entries[0].content->bytes);
  const Result<Evidence> back = evidence_from_text(to_text(evidence));
  ASSERT_TRUE(back.ok());
  const auto& censuses = back->executions[0].ranks[0].censuses;
  EXPECT_EQ(censuses[0].entries[0].content, censuses[1].entries[0].content);
  EXPECT_EQ(censuses[0].entries[0].content->fingerprint, run.censuses[0].entries[0].content->fingerprint);
}

TEST(Store, NumbersThatJsonLacksSurvive) {
  for (const double host : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    Evidence evidence = sample_evidence();
    evidence.executions[0].ranks[0].censuses[0].entries[0].host = host;
    const Result<Evidence> back = evidence_from_text(to_text(evidence));
    ASSERT_TRUE(back.ok()) << back.status().message();
    const double read = back->executions[0].ranks[0].censuses[0].entries[0].host;
    EXPECT_TRUE(read == host || (std::isnan(read) && std::isnan(host)));
  }
}

TEST(Store, MessagesThatAreNoUtf8AreMended) {
  Evidence evidence = sample_evidence();
  evidence.executions[0].ranks[0].outcomes[0].status = Status(Code::failed, "bad \xff\xfe byte");
  const Result<Evidence> back = evidence_from_cbor(store_bytes_of(to_cbor(evidence)));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->executions[0].ranks[0].outcomes[0].status.message(), "bad ?? byte");
}

TEST(Store, ACaseGoesAlone) {
  const nlohmann::json json = to_json(sample_evidence().the_case);
  const Result<Case> back = case_from_json(json);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(to_json(*back), json);
  EXPECT_EQ(case_from_json("no").status().message(), "evidence: expected an object");
}

TEST(Store, TheTraceSaysWhoseEventsFollowOneALine) {
  std::string out;
  Evidence evidence = sample_evidence();
  append_trace(out, evidence, evidence.executions[0], "padded[ranks=1]");
  EXPECT_EQ(out,
            R"({"case":"padded[ranks=1]","candidate":"layerwise@seed","execution":"fault copy_back 2","world":"sim","model":1,"models":2,)"
            R"("steps":["reload"],"series":[{"name":"o","prefetch":2,"layers":["fc"]}]})"
            "\n"
            R"({"case":"padded[ranks=1]","candidate":"layerwise@seed","execution":"fault copy_back 2","rank":0})"
            "\n"
            R"({"clock":0,"event":"write_kernel","step":0,"load":4,"layer":"fc","numel":6,"value":7,"text":"weight"})"
            "\n"
            R"({"outcome":"no","step":0,"peak":9,"live":6})"
            "\n"
            R"({"place":"u8 [2] on meta","step":0,"tensor":"fc.weight"})"
            "\n"
            R"({"case":"padded[ranks=1]","candidate":"layerwise@seed","execution":"fault copy_back 2","timeline":1})"
            "\n"
            R"({"rank":0,"stream":"stream 1","operation":"copy","about":"read","step":0,"model":1,"start":1,"end":2,"point":4})"
            "\n"
            R"({"race":3,"rank":0,"first":{"stream":"stream 2","operation":"copy","about":"read","step":0,"writes":false},)"
            R"("second":{"stream":"stream 1","operation":"broadcast","about":"reach","step":0,"writes":true},)"
            R"("witness":"benign","reader":"fc on rank 0 in step 0","schedule":"s1"})"
            "\n");
  evidence.executions[0].ranks[0].events[0].text = "a \"b\" \\ \xff \n";
  out.clear();
  append_trace(out, evidence, evidence.executions[0], "ü");
  const size_t first = out.find('\n') + 1, second = out.find('\n', first) + 1;
  EXPECT_EQ(nlohmann::json::parse(out.substr(first, second - first)).at("case"), "ü");
  EXPECT_EQ(nlohmann::json::parse(out.substr(second, out.find('\n', second) - second)).at("text"), "a \"b\" \\ ? \n");
}

}  // namespace
}  // namespace reloadlab::sim
