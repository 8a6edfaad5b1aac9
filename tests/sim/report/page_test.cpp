// report.html as a browser shows it, and trace.perfetto.json as a viewer reads it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "sim/report/html.h"
#include "sim/report/perfetto.h"
#include "sim/report/told.h"
#include "tests/sim/report/sample.h"
#include "tests/sim/report/traced.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

// The failing case of sample_run(), with a ring of two ranks, memory and a ledger.
TracedExecution failing_trace() {
  TracedExecution run = ring(2, 3);
  run.id = "repeated-shard[ranks=2]", run.candidate = "layerwise@seed", run.execution = "order 2";
  run.steps = {"load", "pass", "pass", "reload"};
  for (TracedRank& rank : run.ranks) {
    rank.outcomes = {{0, "ok", 4096, 1024}, {3, "<refused> & gone", 2048, 2048}};
    rank.places = {{0, "fc.weight", "bf16 [4] in storage 1 from 0"},
                   {0, "fc.bias", "bf16 [4] in storage 2 from 0"},
                   {3, "fc.weight", "bf16 [4] in storage 9 from 0"},
                   {3, "fc.bias", ""}};
  }
  int64_t time = 0;
  for (TracedStep& step : run.timeline) step.start = time, step.end = time += 1'000'000;
  run.timeline[0].operation = "record", run.timeline[0].point = 5;
  run.timeline[1].operation = "wait", run.timeline[1].point = 5;
  run.timeline[2].operation = run.timeline[6].operation = "broadcast #1 of all";
  return run;
}

// Asks the page, in a browser, what a reader sees: text that is shown, colours, sizes.
constexpr std::string_view questions = R"(<script>
const box = each => { const r = each.getBoundingClientRect(); return [r.width, r.height]; };
const colour = each => getComputedStyle(each).backgroundColor;
const answers = {
  shown: document.body.innerText,
  fails: [...document.querySelectorAll('td.fail')].map(colour),
  moved: [...document.querySelectorAll('.moved td')].map(colour),
  bars: [...document.querySelectorAll('rect')].map(box),
  fill: [...document.querySelectorAll('rect.failed')].map(each => getComputedStyle(each).fill),
  laws: [...document.querySelectorAll('th.law')].map(box),
  over: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  links: [...document.querySelectorAll('a')].map(each => !!document.querySelector(each.getAttribute('href'))),
};
const pre = document.createElement('script');
pre.type = 'answers';
pre.textContent = JSON.stringify(answers).replaceAll('<', '\\u003c').replaceAll('&', '\\u0026');
document.head.appendChild(pre);
</script></body>)";

nlohmann::json seen_in_browser(std::string page) {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("reloadlab-page-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  page.replace(page.rfind("</body>"), 7, questions);
  std::ofstream(folder / "report.html") << page;
  const std::string command =
      "chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir=" + (folder / "profile").string() +
      " --dump-dom file://" + (folder / "report.html").string() + " 2>/dev/null";
  std::string out;
  FILE* browser = ::popen(command.c_str(), "r");
  char buffer[4096];
  for (size_t read; browser && (read = std::fread(buffer, 1, sizeof buffer, browser)) > 0;) out.append(buffer, read);
  if (browser) ::pclose(browser);
  std::filesystem::remove_all(folder);
  const std::string_view mark = "<script type=\"answers\">";
  const size_t begin = out.find(mark);
  if (begin == std::string::npos) return {};
  return nlohmann::json::parse(out.substr(begin + mark.size(), out.find("</script>", begin) - begin - mark.size()), nullptr, false);
}

bool has(const nlohmann::json& seen, std::string_view text) { return seen["shown"].get<std::string>().find(text) != std::string::npos; }

TEST(Page, ShowsWhatBrokeAndWhere) {
  const nlohmann::json seen = seen_in_browser(html_report(sample_run(), {{failing_trace()}}));
  ASSERT_TRUE(seen.is_object()) << "no browser, or it showed nothing";
  EXPECT_TRUE(has(seen, "2,048 of 6,144 elements differ: rows 32-63")) << seen;
  EXPECT_TRUE(has(seen, "rank 1: where tensors lie before and behind step 3 reload: 2 moved")) << seen;
  EXPECT_TRUE(has(seen, "series o, rank 0: who lives in which window")) << seen;
  EXPECT_TRUE(has(seen, "model.safetensors: cannot be read")) << seen;
  EXPECT_EQ(seen["fails"], nlohmann::json({"rgb(198, 47, 47)"})) << "the cell of the failure is red";
  EXPECT_EQ(seen["moved"].size(), 12u) << "two tensors on two ranks, three cells each";
  ASSERT_EQ(seen["bars"].size(), 8u) << "two steps on two ranks, held and at most";
  EXPECT_EQ(seen["bars"][0], nlohmann::json({14, 120}));
  EXPECT_EQ(seen["bars"][1], nlohmann::json({14, 30}));
  EXPECT_EQ(seen["fill"], nlohmann::json({"rgb(198, 47, 47)", "rgb(198, 47, 47)"}));
  for (const nlohmann::json& leads : seen["links"]) EXPECT_TRUE(leads);
  EXPECT_FALSE(seen["links"].empty());
}

// A screen is 800 pixels wide here: names of laws stand upright, and what has no room all the same is scrolled within itself.
TEST(Page, HasRoomForEachLaw) {
  RunResult run = sample_run();
  const auto seen_with = [&](size_t laws) {
    for (size_t law = run.laws.size(); law < laws; ++law) {
      run.laws.push_back({"a_law_with_a_name_" + std::to_string(law), "It holds."});
      run.cases[0].laws.push_back({.law = run.laws.back().id});
    }
    return seen_in_browser(html_report(run, {}));
  };
  for (const size_t laws : {14, 60}) {
    const nlohmann::json seen = seen_with(laws);
    ASSERT_TRUE(seen.is_object());
    EXPECT_GE(seen["laws"].size(), laws - 4);
    for (const nlohmann::json& law : seen["laws"]) EXPECT_LT(law[0], law[1]);
    EXPECT_EQ(seen["over"], 0) << laws;
  }
}

TEST(Page, HidesWhatHeldUntilItIsAskedFor) {
  const nlohmann::json seen = seen_in_browser(html_report(sample_run(), {}));
  ASSERT_TRUE(seen.is_object());
  EXPECT_TRUE(has(seen, "repeated-shard[ranks=1] layerwise@seed")) << seen;
  EXPECT_FALSE(has(seen, "an old kernel; holds with torch 2.11")) << "of what is known";
}

TEST(Page, EscapesWhatCandidatesSay) {
  RunResult run = sample_run();
  run.cases[0].laws[0].finding->what = "<script>alert(1)</script> & \x01";
  EXPECT_EQ(html_report(run, {}).find("<script>"), std::string::npos);
  EXPECT_NE(html_report(run, {}).find("&lt;script&gt;alert(1)&lt;/script&gt; &amp; ?"), std::string::npos);
}

TEST(Page, TellsTenCasesAndThoseThatNeedAttentionFirst) {
  RunResult run = sample_run();
  run.cases.insert(run.cases.begin(), 12, run.cases[1]);  // known
  const std::vector<const CaseResult*> told = told_cases(run);
  ASSERT_EQ(told.size(), 10u);
  EXPECT_EQ(told[0]->id(), "repeated-shard[ranks=2]");
  EXPECT_EQ(told[3]->scenario, "lost-file");
  EXPECT_EQ(told[4]->id(), "repeated-shard[ranks=1]");
}

TEST(Perfetto, EverySliceEndsAndEveryFlowArrives) {
  const TracedExecution run = failing_trace();
  const TracedExecution* runs[] = {&run};
  const nlohmann::json all = nlohmann::json::parse(perfetto_json(runs))["traceEvents"];
  std::map<std::pair<int, int>, int> open;
  std::map<std::string, std::vector<std::pair<std::string, nlohmann::json>>> flows;
  std::map<std::string, int> kinds;
  for (const nlohmann::json& event : all) {
    const std::string phase = event["ph"];
    ++kinds[phase];
    if (phase == "B") ++open[{event["pid"], event["tid"]}];
    if (phase == "E") --open[{event["pid"], event["tid"]}];
    if (event.contains("id")) flows[event["cat"]].emplace_back(phase, event["ts"]);
  }
  for (const auto& [track, depth] : open) EXPECT_EQ(depth, 0);
  EXPECT_EQ(kinds["X"], 12);
  EXPECT_EQ(kinds["C"], 4);
  using Parts = std::vector<std::pair<std::string, nlohmann::json>>;
  EXPECT_EQ(flows["collective"], (Parts{{"s", 2.0}, {"f", 6.0}}));
  EXPECT_EQ(flows["point"], (Parts{{"s", 1.0}, {"f", 2.0}}));
}

}  // namespace
}  // namespace reloadlab::tests
