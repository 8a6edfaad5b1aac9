// Drawn cases: a campaign, what it leaves, and how that is played again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

#include "tests/sim/cli/program_run.h"

namespace reloadlab::tests {
namespace {

class Fuzzing : public ProgramTest {
 protected:
  static void expect(const Ran& ran, int exit_code, const std::string& in_err) {
    EXPECT_EQ(ran.exit_code, exit_code) << ran.err << ran.out;
    EXPECT_NE(ran.err.find(in_err), std::string::npos) << ran.err << ran.out;
  }
  // What follows "replay " in each line.
  static std::vector<std::string> tokens(const Ran& ran) {
    std::vector<std::string> all;
    std::istringstream lines(ran.out);
    for (std::string line; std::getline(lines, line);) all.push_back(line.substr(line.rfind(' ') + 1));
    return all;
  }
  std::vector<std::string> files() const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "store/failing")) all.push_back(entry.path().string());
    return all;
  }
};

TEST_F(Fuzzing, WhatKeepsEveryLawHolds) {
  for (const char* system : {"layerwise", "online_quant", "shared_series"})
    expect(reloadlab(std::string("fuzz --cases 20 --seed 1 --store store --system ") + system), 0, "20 cases");
  EXPECT_TRUE(std::filesystem::is_empty(folder / "store/failing"));
}

TEST_F(Fuzzing, AnyCaseIsPlayedOnModelledDevicesAndOnGpusWhereThereAreAny) {
  const Ran found = reloadlab("fuzz --candidate layerwise@seed --cases 3 --seed 2 --on sim --store store --shrink-tries 5");
  expect(found, 1, "world: {kind: sim");
  expect(reloadlab("replay " + tokens(found)[0]), 1, "FAIL  ");
  expect(reloadlab_with("CUDA_VISIBLE_DEVICES=", "fuzz --system layerwise --cases 2 --on cuda --store store"), 4, "0 failing");
  expect(reloadlab("fuzz --system layerwise --cases 2 --on cpu"), 64, "--on: world cpu has no devices, expected sim or cuda");
}

TEST_F(Fuzzing, WhatBreaksLawsIsKeptAndEachTokenAndEachFilePlaysItAgain) {
  const Ran ran = reloadlab("fuzz --candidate layerwise@seed --cases 6 --seed 2 --store store --shrink-tries 60");
  expect(ran, 1, "FAIL  ");
  const auto words = tokens(ran);
  ASSERT_FALSE(words.empty());
  EXPECT_EQ(words.size(), files().size());
  for (size_t i = 0; i < std::min<size_t>(words.size(), 2); ++i) {
    expect(reloadlab("replay " + words[i]), 1, "FAIL  ");
    expect(reloadlab("replay " + files()[i]), 1, "layerwise@seed");
  }
  expect(reloadlab("replay " + words[0] + " --candidate layerwise@hardened"), 0, "layerwise@hardened");
}

TEST_F(Fuzzing, TheSameSeedLeavesTheSame) {
  const std::string words = "fuzz --candidate layerwise@seed --cases 4 --seed 3 --shrink-tries 30 --store ";
  const Ran one = reloadlab(words + "one"), other = reloadlab(words + "other");
  EXPECT_EQ(one.out, other.out);
  EXPECT_EQ(one.exit_code, 1);
}

TEST_F(Fuzzing, JobsFindTogetherWhatOneFindsAlone) {
  const std::string words = "fuzz --candidate layerwise@seed --cases 6 --seed 2 --shrink-tries 0 ";
  const Ran alone = reloadlab(words + "--store one"), together = reloadlab(words + "--store two --jobs 2");
  EXPECT_EQ(together.exit_code, 1);
  expect(together, 1, "6 cases");
  // Causes, and how many cases showed each.
  const auto table = [](const Ran& ran) {
    std::vector<std::string> lines;
    std::istringstream all(ran.err);
    for (std::string line; std::getline(all, line);)
      if (line.starts_with("     ") && line.size() > 10 && std::isdigit(line[7]) && line[8] == ' ') lines.push_back(line);
    return lines;
  };
  EXPECT_FALSE(table(alone).empty());
  EXPECT_EQ(table(together), table(alone));
  EXPECT_EQ(tokens(together).size(), tokens(alone).size());
}

// Whatever it does to its process, the case is known, and the others are played.
TEST_F(Fuzzing, ACandidateThatCrashesIsAFindingAndTheOtherCasesArePlayed) {
  const std::string words = "fuzz --candidate naughty@crash_on_two --jobs 2 --cases 8 --seed 1 --store store --shrink-tries 20";
  const Ran ran = naughty(words);
  expect(ran, 1, "8 cases");
  expect(ran, 1, "FAIL  survives, lost, SIGSEGV   case ");
  expect(ran, 1, "killed by signal 11 (SIGSEGV)");
  const std::string file = "store/failing/survives-SIGSEGV-model-";
  const auto all = files();
  const auto crash = std::ranges::find_if(all, [&](const std::string& each) { return each.find(file) != std::string::npos; });
  ASSERT_NE(crash, all.end());
  const std::string text = read(std::filesystem::path(*crash).lexically_relative(folder).string());
  const std::string token = text.substr(19, text.find('\n') - 19);
  EXPECT_NE(ran.out.find(" replay " + token + "\n"), std::string::npos) << ran.out;
  expect(naughty("replay " + token), 1, "SIGSEGV");
  expect(naughty("replay " + *crash), 1, "SIGSEGV");
  // It is played before the others of the next campaign, which has one process and goes on as well.
  const Ran next = naughty("fuzz --candidate naughty@crash_on_two --cases 1 --seed 2 --store store --shrink-tries 0 --jobs 2");
  expect(next, 1, "still  survives, lost, SIGSEGV");
  expect(next, 1, "1 case");
}

TEST_F(Fuzzing, WhatWasMendedIsPromotedAndWhatFailsAgainIsARegression) {
  ASSERT_EQ(reloadlab("fuzz --candidate layerwise@seed --cases 2 --seed 2 --store store --shrink-tries 0").exit_code, 1);
  const size_t kept = files().size();
  ASSERT_GT(kept, 1U);
  expect(reloadlab("promote --store store"), 1, "stays     store/failing/");
  EXPECT_EQ(files().size(), kept);
  const Ran promoted = reloadlab("promote --candidate layerwise@hardened " + files().front());
  expect(promoted, 0, "");
  EXPECT_NE(promoted.out.find("store/regression/"), std::string::npos) << promoted.out;
  EXPECT_EQ(files().size(), kept - 1);
  // Its line is of the one that keeps every law.
  const std::string entry = read(promoted.out.substr(0, promoted.out.find('\n'))), begin = "# reloadlab ";
  ASSERT_TRUE(entry.starts_with(begin + "replay ")) << entry;
  EXPECT_EQ(reloadlab(entry.substr(begin.size(), entry.find('\n') - begin.size())).exit_code, 0);
  // The implementation becomes another one, which fails.
  script("sed -i 's/^# candidate .*/# candidate  layerwise@seed/' store/regression/*.yaml");
  expect(reloadlab("fuzz --candidate layerwise@seed --cases 1 --seed 2 --store store --shrink-tries 0"), 1, "a regression: it was mended");
  EXPECT_TRUE(std::filesystem::is_empty(folder / "store/regression"));
  EXPECT_GE(files().size(), kept);
  // And is mended by another one.
  script("sed -i 's/^# candidate .*/# candidate  layerwise@hardened/' store/failing/*.yaml");
  expect(reloadlab("fuzz --candidate layerwise@hardened --cases 1 --seed 2 --store store"), 0, "mended ");
  expect(reloadlab("promote --store store"), 0, "");
  EXPECT_TRUE(files().empty());
  expect(reloadlab("promote scenarios/x.yaml"), 64, "expected a file of a store's failing/");
}

TEST_F(Fuzzing, CampaignsThatAreKilledLoseNothing) {
  const Ran ran = script("'" RELOADLAB_SOURCE_DIR "/tests/sim/cli/store_kills' \"$RELOADLAB\" 3");
  EXPECT_EQ(ran.exit_code, 0) << ran.err << ran.out;
  const Ran replays = script("'" RELOADLAB_SOURCE_DIR "/tests/sim/cli/store_replays' \"$RELOADLAB\" store 6");
  EXPECT_EQ(replays.exit_code, 0) << replays.err << replays.out;
  EXPECT_EQ(replays.out, "6 of 6 replay\n");
}

TEST_F(Fuzzing, WhatWasNotMadeSmallIsMadeSmallByTheNextCampaign) {
  const auto large = [&] {
    return std::ranges::count_if(files(), [](const std::string& file) {
      std::ifstream in(file);
      return std::string(std::istreambuf_iterator<char>(in), {}).find("# smallest   no") != std::string::npos;
    });
  };
  expect(reloadlab("fuzz --candidate layerwise@seed --cases 2 --seed 3 --store store --shrink-tries 0"), 1, "may still shrink");
  EXPECT_GT(large(), 0);
  expect(reloadlab("fuzz --candidate layerwise@seed --cases 2 --seed 3 --store store"), 1, "still  ");
  EXPECT_EQ(large(), 0);
  // Also where no new case shows it.
  for (const std::string jobs : {"", " --jobs 2"}) {
    std::filesystem::remove_all(folder / "store");
    expect(reloadlab("fuzz --candidate layerwise@seed --cases 2 --seed 3 --store store --shrink-tries 0"), 1, "may still shrink");
    EXPECT_GT(large(), 0);
    expect(reloadlab("fuzz --candidate layerwise@seed --cases 1 --seed 4000 --store store" + jobs), 1, "still  ");
    EXPECT_EQ(large(), 0) << jobs;
  }
}

TEST_F(Fuzzing, ShardsArePutTogetherAndProbesGate) {
  for (const char* shard : {"1", "2"})
    expect(reloadlab(fmt::format("fuzz --system layerwise --cases 40 --seed 5 --shard {0}/2 --store s --summary {0}.json", shard)), 0,
           "20 cases");
  expect(reloadlab("fuzz --merge 1.json --merge 2.json --summary both.json"), 0, "40 cases");
  expect(reloadlab("fuzz --merge both.json"), 0, "6 of 6 probes");
  expect(reloadlab("fuzz --system layerwise --cases 1 --seed 5 --store s --summary one.json"), 0, "1 of 6 probes");
  expect(reloadlab("fuzz --merge one.json"), 2, "probe fault_strikes: no case met it");
  expect(reloadlab("fuzz --system layerwise --cases 1 --seed 5 --store s --require-probes"), 2, "probe unknown_name: no case met it");
  expect(reloadlab("fuzz --system shared_series --cases 2 --store s --summary ring.json"), 0, "2 cases");
  expect(reloadlab("fuzz --merge one.json ring.json"), 64, "--merge: ring.json is of shared_series, the ones before it of layerwise");
  expect(reloadlab("fuzz --merge nothing.json"), 64, "--merge: nothing.json: No such file or directory");
  expect(reloadlab("fuzz --merge s"), 64, "--merge: s: is a folder, expected a file");
  expect(reloadlab("fuzz --system layerwise --cases 1 --summary no/where.json"), 64, "no/where.json: No such file or directory");
}

TEST_F(Fuzzing, TheWorstOfAllSearchesStays) {
  small_scenario();
  const std::string search =
      "worst scenarios/layerwise/small.yaml --ranks 1 --objective peak_bytes --candidate layerwise@hardened --store worst --cases ";
  const Ran first = reloadlab(search + "40");
  EXPECT_EQ(first.exit_code, 0) << first.err;
  const std::string file = "worst/small.ranks-1-worst-peak-bytes-layerwise-hardened.yaml", about = "The worst that was found: ";
  const std::string found = read(file), more = std::string(found).replace(found.find(about) + about.size(), 0, "9");
  ASSERT_NE(more, found);
  write(file, more);
  EXPECT_NE(reloadlab(search + "40").out.find("of an earlier search)"), std::string::npos);
  EXPECT_EQ(read(file), more);
  EXPECT_EQ(reloadlab("worst scenarios/layerwise/small.yaml --objective exposed_wait --cases 1 --store worst").exit_code, 65);
}

TEST_F(Fuzzing, WordsThatMeanNothingAreAnswered) {
  expect(reloadlab("promote --store nowhere"), 4, "nowhere: nothing is in failing");
  expect(reloadlab("fuzz --system layerwis"), 64, "did you mean \"layerwise\"?");
  expect(reloadlab("fuzz --system layerwise --candidate online_quant@seed"), 64, "is of system online_quant, not of layerwise");
  expect(reloadlab("fuzz"), 64, "--system or --candidate");
  expect(reloadlab("fuzz --system layerwise --store ''"), 64, "--store needs the name of a folder");
  std::filesystem::create_directories(folder / "s/failing/x.yaml");
  expect(reloadlab("fuzz --system layerwise --store s"), 65, "s/failing/x.yaml: is a folder, expected a file");
  expect(reloadlab("replay s"), 65, "s: is a folder, expected a file");
  expect(reloadlab("replay AAAA"), 64, "version 0, expected version 1");
  expect(reloadlab("replay no/such/file.yaml"), 64, "no token");
  expect(reloadlab("replay " + std::string(300, 'A')), 64, "version 0, expected version 1");  // no file can have such a name
  expect(reloadlab("compare --random 3 --candidate layerwise@seed"), 64, "two candidates");
  expect(reloadlab("compare --random 3 --candidate layerwise@seed --candidate online_quant@seed"), 64, "is of system online_quant");
  expect(reloadlab("compare --random 3 --candidate layerwise@seed --candidate layerwise@seed"), 64, "layerwise@seed is given twice");
}

TEST_F(Fuzzing, CandidatesAreHeldAgainstEachOtherOverDrawnCases) {
  expect(reloadlab("compare --random 8 --seed 1 --candidate layerwise@hardened --candidate layerwise@hardened,excess=accept"), 0,
         "8 the same, 0 differ as known, 0 differ, 0 not compared");
  const Ran ran = reloadlab("compare --random 8 --seed 1 --candidate layerwise@seed --candidate layerwise@hardened");
  expect(ran, 1, "8 of 8 cases");
  EXPECT_NE(ran.out.find("drawn-0  layerwise@seed | layerwise@hardened  differs"), std::string::npos) << ran.out;
  EXPECT_TRUE(std::filesystem::exists(folder / "out/differing/drawn-0.yaml"));
  const std::string again = "  again      ";
  const size_t at = ran.out.find(again);
  ASSERT_NE(at, std::string::npos);
  const std::string line = ran.out.substr(at, ran.out.find('\n', at) - at);
  EXPECT_EQ(reloadlab("replay " + line.substr(line.rfind(' ') + 1)).exit_code, 0);  // by the second of them, which keeps all laws
}

TEST_F(Fuzzing, WhatIsKnownOfDrawnCasesFailsNothing) {
  const std::string how = "compare --random 8 --seed 1 --candidate layerwise@seed --candidate layerwise@hardened";
  std::string known = "reloadlab: 1\nknown:\n";
  for (const char* aspect : {"verdicts", "errors", "bytes", "addresses", "completion"})
    known += std::string("  - {first: layerwise@seed, candidate: layerwise@hardened, scenario: 'drawn-*', reason: mended, aspect: ") +
             aspect + "}\n";
  std::ofstream(folder / "known.yaml") << known;
  const Ran ran = reloadlab(how + " --known known.yaml");
  expect(ran, 0, " differ as known, 0 differ, 0 not compared");
  EXPECT_NE(ran.out.find("drawn-0  layerwise@seed | layerwise@hardened  known"), std::string::npos) << ran.out;
  EXPECT_EQ(ran.err.find(" 0 differ as known"), std::string::npos) << ran.err;
  std::ofstream(folder / "known.yaml") << "reloadlab: 1\nknwon: []\n";
  expect(reloadlab(how + " --known known.yaml"), 65, "known.yaml:2:1: unknown key \"knwon\"");
}

}  // namespace
}  // namespace reloadlab::tests
