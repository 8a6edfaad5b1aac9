#include "sim/report/console.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/report/baseline.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

std::string paint(const ConsoleStyle& style, std::string_view colour, std::string text) {
  return style.colour ? fmt::format("\x1b[{}m{}\x1b[0m", colour, text) : text;
}

std::string_view colour_of(State state) {
  switch (state) {
    case State::pass:
      return "32";
    case State::known:
    case State::quarantined:
      return "33";
    case State::unsupported:
      return "90";
    case State::inconclusive:
      return "35";
    default:
      return "31";
  }
}

// The word that opens a block.
std::string_view title_of(State state) {
  switch (state) {
    case State::fail:
      return "FAIL";
    case State::hang:
      return "HANG";
    case State::flaky:
      return "FLAKY";
    case State::unexpected_pass:
      return "UNEXPECTED PASS";
    case State::inconclusive:
      return "INCONCLUSIVE";
    default:
      return "";
  }
}

std::string sentence_of(const RunResult& run, const std::string& law) {
  const auto found = std::find_if(run.laws.begin(), run.laws.end(), [&](const LawText& text) { return text.id == law; });
  return found == run.laws.end() ? std::string() : found->sentence;
}

std::string place_of(const LawResult& law) {
  if (!law.finding) return {};
  const Finding& finding = *law.finding;
  std::string place = finding.execution.empty() || finding.execution == "warm" ? "" : finding.execution + ", ";
  place += fmt::format("rank {}", finding.rank);
  if (finding.step >= 0) place += fmt::format(", step {}", finding.step);
  return law.step_text.empty() ? place : place + ": " + law.step_text;
}

std::string where_of(const CaseResult& one) { return one.variant.empty() ? one.file : fmt::format("{} [{}]", one.file, one.variant); }

// Ranks below each other, one column per event, so that the first difference between ranks stands out.
std::string tail_lines(const std::vector<RankTail>& tail) {
  std::vector<std::vector<std::string>> rows;
  for (const RankTail& rank : tail) {
    std::vector<std::string> row{fmt::format("  rank {}", rank.rank)};
    row.insert(row.end(), rank.events.begin(), rank.events.end());
    rows.push_back(std::move(row));
  }
  return aligned(rows, " | ");
}

std::string again_line(const CaseResult& one, const RunResult& run) {
  if (one.failing.empty()) return {};
  std::string line = fmt::format("  again  {} run {} --candidate {}", run.run.program, shell_word(run.run.folder + "/" + one.failing),
                                 shell_word(one.candidate));
  if (run.seed != 0) line += fmt::format(" --seed {}", run.seed);
  if (!run.run.options.empty()) line += " " + run.run.options;
  return line + "\n";
}

std::string finding_lines(const LawResult& law) {
  if (!law.finding) return {};
  std::string text;
  const Finding& finding = *law.finding;
  const std::string subject = finding.tensor.empty() ? finding.what : fmt::format("{}   {}", finding.tensor, finding.what);
  if (!subject.empty()) text += fmt::format("  {}\n", subject);
  if (!finding.first.empty()) text += fmt::format("  first  {}\n", finding.first);
  if (!finding.why.empty()) text += fmt::format("  why    {}\n", finding.why);
  return text;
}

std::string block(const CaseResult& one, const LawResult& law, const RunResult& run, const ConsoleStyle& style) {
  std::string head = fmt::format("{}  {}   {}   {}", paint(style, colour_of(law.state), std::string(title_of(law.state))), law.law,
                                 one.candidate, where_of(one));
  if (const std::string place = place_of(law); !place.empty()) head += "   " + place;
  std::string text = head + "\n";
  if (const std::string sentence = sentence_of(run, law.law); !sentence.empty()) text += fmt::format("  {}\n", sentence);
  text += finding_lines(law);
  if (!law.reason.empty()) text += fmt::format("  note   {}\n", law.reason);
  return text + tail_lines(law.tail) + again_line(one, run) + "\n";
}

std::string ends_line(const CaseResult& one) {
  switch (one.end) {
    case End::judged:
      return {};
    case End::skipped:
      return fmt::format("SKIPPED  {}   {}   {}\n", one.candidate, where_of(one), one.reason);
    case End::bad_data:
      return fmt::format("BAD DATA  {}   {}\n  {}\n\n", one.candidate, where_of(one), one.reason);
    case End::defect:
      return fmt::format("DEFECT in reloadlab itself   {}   {}\n  {}\n\n", one.candidate, where_of(one), one.reason);
  }
  return {};
}

}  // namespace

std::string attention_blocks(const CaseResult& one, const RunResult& run, const ConsoleStyle& style) {
  std::string text = ends_line(one);
  for (const LawResult& law : one.laws)
    if (needs_attention(law.state)) text += block(one, law, run, style);
  for (const LawResult& law : one.laws)
    if (law.state == State::quarantined)
      text += fmt::format("QUARANTINED  {}   {}   {}   {}\n", law.law, one.candidate, where_of(one), law.reason);
  for (const std::string& note : one.notes) text += fmt::format("NOTE  {}   {}   {}\n", one.candidate, where_of(one), note);
  return text;
}

std::string closing_line(const RunResult& run) {
  const auto ends = count_ends(run);
  const auto states = count_states(run);
  std::string text = run.run.shard.empty() ? "" : fmt::format("shard {}: ", run.run.shard);
  text += plural(static_cast<int64_t>(run.cases.size()), "run");
  for (const auto& [end, count] : ends)
    if (end != End::judged) text += fmt::format(", {} {}", grouped(count), end == End::bad_data ? "with bad data" : end_name(end));
  int64_t verdicts = 0;
  for (const auto& [state, count] : states) verdicts += count;
  text += fmt::format("; {}", plural(verdicts, "verdict"));
  std::string_view between = ": ";
  for (const auto& [state, count] : states) {
    std::string name(state_name(state));
    std::replace(name.begin(), name.end(), '_', ' ');
    text += fmt::format("{}{} {}", between, grouped(count), name);
    between = " · ";
  }
  return fmt::format("{}; {} → {}/report.html\n", text, seconds_text(run.run.seconds), run.run.folder);
}

std::string console_report(const RunResult& run, const ConsoleStyle& style) {
  std::string text;
  for (const CaseResult& one : run.cases) text += attention_blocks(one, run, style);
  return text + law_table(run, style) + closing_line(run) + (run.baseline ? baseline_text(*run.baseline) : "");
}

}  // namespace reloadlab::sim
