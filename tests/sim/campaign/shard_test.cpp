#include "sim/campaign/shard.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/sim/campaign/fixture.h"

namespace reloadlab::tests {
namespace {

using namespace sim;
using Variables = std::map<std::string, std::string>;

// "2/8 by --shard", "" for none, "usage: …" for a refusal.
std::string read(const std::string& text, const Variables& variables = {}) {
  const auto shard = read_shard(text, variables);
  if (!shard.ok()) return std::string(code_name(shard.status().code())) + ": " + shard.status().message();
  return *shard ? std::to_string((*shard)->index + 1) + "/" + std::to_string((*shard)->count) + " by " + (*shard)->said_by : "";
}

TEST(Shards, AreCountedFromOne) {
  EXPECT_EQ(read("1/1"), "1/1 by --shard");
  EXPECT_EQ(read("3/8"), "3/8 by --shard");
  for (const char* wrong : {"0/8", "9/8", "3/", "/3", "3/0", "a/b", "3/8/2", "-1/3", "3/8x", "99999999999/99999999999", "0"})
    EXPECT_NE(read(wrong).find("expected 1/8 to 8/8 for one of eight"), std::string::npos) << wrong << ": " << read(wrong);
}

TEST(Shards, AreWhatTheEnvironmentSays) {
  EXPECT_EQ(read(""), "");
  EXPECT_EQ(read("", {{"GTEST_TOTAL_SHARDS", "4"}, {"GTEST_SHARD_INDEX", "3"}}), "4/4 by GTEST_SHARD_INDEX");
  EXPECT_EQ(read("", {{"JOB_COMPLETION_INDEX", "3"}}), "") << "nobody says of how many";
  EXPECT_EQ(read("5", {{"JOB_COMPLETION_INDEX", "3"}}), "4/5 by JOB_COMPLETION_INDEX");
  EXPECT_EQ(read("5", {{"SLURM_ARRAY_TASK_ID", "0"}}), "1/5 by SLURM_ARRAY_TASK_ID");
  EXPECT_EQ(read("2/3", {{"GTEST_TOTAL_SHARDS", "4"}, {"GTEST_SHARD_INDEX", "3"}}), "2/3 by --shard");
}

TEST(Shards, OfASlurmArrayMayBeginAndStepAnyhow) {
  const auto array = [](const char* id, const char* count, const char* first, const char* last) {
    return read(
        "",
        {{"SLURM_ARRAY_TASK_ID", id}, {"SLURM_ARRAY_TASK_COUNT", count}, {"SLURM_ARRAY_TASK_MIN", first}, {"SLURM_ARRAY_TASK_MAX", last}});
  };
  EXPECT_EQ(array("0", "4", "0", "3"), "1/4 by SLURM_ARRAY_TASK_ID");
  EXPECT_EQ(array("4", "4", "1", "4"), "4/4 by SLURM_ARRAY_TASK_ID");
  EXPECT_EQ(array("15", "3", "5", "25"), "2/3 by SLURM_ARRAY_TASK_ID");
  EXPECT_EQ(array("7", "1", "7", "7"), "1/1 by SLURM_ARRAY_TASK_ID");
  EXPECT_NE(array("3", "3", "1", "7").find("with gaps that are not alike"), std::string::npos) << "an array of 1,3,7";
  EXPECT_NE(array("x", "3", "1", "7").find("SLURM_ARRAY_TASK_ID=\"x\", expected a number"), std::string::npos);
}

TEST(Shards, RefuseWhatCannotBe) {
  EXPECT_NE(read("8").find("--shard 8: which of them?"), std::string::npos) << read("8");
  EXPECT_NE(read("5", {{"JOB_COMPLETION_INDEX", "5"}}).find("JOB_COMPLETION_INDEX: number 5, counted from 0, of 5 shards"),
            std::string::npos);
  EXPECT_NE(read("", {{"GTEST_TOTAL_SHARDS", "4"}}).find("GTEST_SHARD_INDEX is not set"), std::string::npos);
  EXPECT_NE(read("", {{"GTEST_TOTAL_SHARDS", "4"}, {"GTEST_SHARD_INDEX", "4"}}).find("number 4, counted from 0, of 4"), std::string::npos);
}

TEST_F(CampaignTest, EveryCaseIsInOneShard) {
  for (const char* name : {"a", "b", "c", "d"}) scenario(name);  // two cases each
  std::multiset<std::string> all, dealt;
  for (const CaseResult& one : run({"fake@good", "fake@bad"}).cases) all.insert(one.id() + one.candidate);
  for (int index = 0; index < 3; ++index) {
    options.selection.shard = Shard{index, 3, "--shard"};
    const RunResult part = run({"fake@good", "fake@bad"});
    EXPECT_EQ(part.run.shard, std::to_string(index + 1) + " of 3 (--shard)");
    EXPECT_EQ(part.cases.size(), index < 2 ? 6u : 4u);
    for (const CaseResult& one : part.cases) dealt.insert(one.id() + one.candidate);
    EXPECT_NE(screen().find("shard " + part.run.shard + ": "), std::string::npos) << screen();
  }
  EXPECT_EQ(all, dealt);
  options.selection.shard = Shard{8, 9, "--shard"};
  EXPECT_EQ(exit_code(run({"fake@good"})), Exit::nothing_ran);
  EXPECT_NE(screen().find("shard 9 of 9 has none of 8 cases"), std::string::npos) << screen();
}

}  // namespace
}  // namespace reloadlab::tests
