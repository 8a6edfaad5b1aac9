#include "sim/report/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "sim/report/columns.h"
#include "sim/report/console.h"
#include "sim/report/html_parts.h"
#include "sim/report/law_rows.h"
#include "sim/report/races.h"
#include "sim/report/text.h"
#include "sim/report/told.h"
#include "sim/report/verdict_text.h"

namespace reloadlab::sim {
namespace {

constexpr size_t most_ranks = 4;  // of an execution, of which memory, ledger and rings are drawn

// Colours that also tell apart in grey; no character that XML would escape.
constexpr const char* style = R"(
body { font: 14px/1.45 system-ui, sans-serif; margin: 2em; color: #1c2733; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2em; } h3 { font-size: 1em; } h4 { font-size: .9em; margin: 1.2em 0 .3em; }
table { border-collapse: collapse; font-size: .85em; } th, td { padding: .15em .6em; border: 1px solid #d8dee5; text-align: left; }
th { background: #f1f4f7; font-weight: 600; } td.state { text-align: center; white-space: nowrap; }
th.law { writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap; } div.wide { overflow-x: auto; }
pre { background: #f6f8fa; padding: .8em; overflow-x: auto; font-size: .85em; }
.pass { color: #2b7a3d; } .known, .quarantined { background: #fff3d6; } .unsupported { color: #98a3ae; }
.fail, .hang, .flaky, .unexpected_pass, .bad { background: #c62f2f; color: white; font-weight: 600; } .inconclusive { background: #e6d9f5; }
.moved td { background: #fff3d6; } .arriving { background: #dbeafe; } .read { background: #dcf2e0; }
svg.memory { background: #f6f8fa; } svg .peak { fill: #c5d3e2; } svg .live { fill: #3b6ea5; } svg .failed { fill: #c62f2f; }
details { border: 1px solid #d8dee5; padding: .4em 1em; margin: .6em 0; } summary { cursor: pointer; font-weight: 600; }
)";

class Page {
 public:
  Page(const RunResult& run, std::span<const TracedExecution> executions) : run_(run), executions_(executions), told_(told_cases(run)) {}

  std::string text() {
    pugi::xml_node html = add(document_, "html");
    html.append_attribute("lang") = "en";
    pugi::xml_node head = add(html, "head");
    add(head, "meta").append_attribute("charset") = "utf-8";
    add(head, "title", "reloadlab: " + run_.name);
    add(head, "style", style);
    body(add(html, "body"));
    std::ostringstream out;
    out << "<!DOCTYPE html>\n";
    document_.save(out, "", pugi::format_raw | pugi::format_no_declaration | pugi::format_no_empty_element_tags);
    return out.str() + "\n";
  }

 private:
  void body(pugi::xml_node page) {
    add(page, "h1", "reloadlab: " + run_.name);
    add(page, "p", closing_line(run_));
    for (const std::string& candidate : candidates_of(run_)) verdicts(page, candidate);
    if (told_.empty()) return;
    add(page, "h2", fmt::format("{} of {}", told_.size(), plural(static_cast<int64_t>(run_.cases.size()), "run")));
    for (const CaseResult* one : told_) tell(page, *one);
  }

  void verdicts(pugi::xml_node page, const std::string& candidate) {
    const std::vector<LawRow> rows = law_rows(run_, candidate);
    std::vector<const LawText*> laws;  // that any of them was held against
    for (const LawText& law : run_.laws)
      if (std::ranges::any_of(rows, [&](const LawRow& row) { return row.worst.contains(law.id); })) laws.push_back(&law);
    add(page, "h2", candidate);
    pugi::xml_node table = add_table(add(page, "div", "", "wide"), {"scenario"});
    for (const LawText* law : laws) add(table.first_child(), "th", law->id, "law").append_attribute("title") = law->sentence.c_str();
    for (const LawRow& row : rows) {
      pugi::xml_node line = add(table, "tr");
      name(add(line, "td"), candidate, row);
      for (const LawText* law : laws) {
        const auto found = row.worst.find(law->id);
        if (found == row.worst.end())
          add(line, "td");
        else
          add(line, "td", std::string(state_word(found->second)), "state " + std::string(state_name(found->second)));
      }
    }
  }
  // With a way to the first of its cases of which more is told.
  void name(pugi::xml_node cell, const std::string& candidate, const LawRow& row) {
    const std::string text = row.cases == 1 ? row.scenario : fmt::format("{} ×{}", row.scenario, row.cases);
    const auto told =
        std::ranges::find_if(told_, [&](const CaseResult* one) { return one->scenario == row.scenario && one->candidate == candidate; });
    if (told == told_.end()) return void(add(cell, "span", text));
    add(cell, "a", text).append_attribute("href") = fmt::format("#case-{}", told - told_.begin()).c_str();
  }

  void tell(pugi::xml_node page, const CaseResult& one) {
    const auto number = std::ranges::find(told_, &one) - told_.begin();
    pugi::xml_node about = add(page, "details");
    about.append_attribute("id") = fmt::format("case-{}", number).c_str();
    const std::string blocks = attention_blocks(one, run_);
    if (!blocks.empty() || told_.size() == 1) about.append_attribute("open") = "open";
    add(about, "summary", fmt::format("{}  {}", one.id(), one.candidate));
    if (!blocks.empty()) add(about, "pre", blocks);
    for (const LawResult& law : one.laws)
      if (law.finding && !needs_attention(law.state))
        add(about, "pre", fmt::format("{}  {}  {}\n{}", state_name(law.state), law.law, law.rule, finding_text(law)));
    const auto own = executions_of(one, executions_);
    if (own.empty()) add(about, "p", "There is no trace of it.");
    for (const TracedExecution* run : own) tell(about, one, *run);
  }

  void tell(pugi::xml_node parent, const CaseResult& one, const TracedExecution& run) {
    add(parent, "h3", run.models > 1 ? fmt::format("{}, model {}", run.execution, run.model) : run.execution);
    const auto finding = std::ranges::find_if(
        one.laws, [&](const LawResult& law) { return law.finding && law.finding->execution == run.execution && law.finding->step >= 0; });
    const int64_t step = finding == one.laws.end() ? static_cast<int64_t>(run.steps.size()) - 1 : finding->finding->step;
    const int first = finding == one.laws.end() ? -1 : finding->finding->rank;
    size_t told = 0;
    for (const bool named : {true, false})
      for (const TracedRank& rank : run.ranks)
        if ((rank.number == first) == named && ++told <= most_ranks) tell(parent, run, rank, step);
    if (told > most_ranks) add(parent, "p", fmt::format("{} more ranks are in trace.jsonl", told - most_ranks));
    if (!run.timeline.empty()) add(parent, "pre", columns_text(std::span(&run, 1), {}) + races_text(run, {}));
  }
  static void tell(pugi::xml_node parent, const TracedExecution& run, const TracedRank& rank, int64_t step) {
    add_memory(parent, run, rank);
    add_ledger(parent, run, rank, step);
    for (const TracedSeries& series : run.series) add_ring(parent, run, series, rank);
  }

  const RunResult& run_;
  std::span<const TracedExecution> executions_;
  std::vector<const CaseResult*> told_;
  pugi::xml_document document_;
};

}  // namespace

std::string html_report(const RunResult& run, std::span<const TracedExecution> executions) { return Page(run, executions).text(); }

}  // namespace reloadlab::sim
