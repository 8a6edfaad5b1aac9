#include "sim/campaign/expectation_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "reference/base/read_file.h"
#include "sim/campaign/attempt.h"

namespace reloadlab::sim {
namespace fs = std::filesystem;
namespace {

std::string text_in(const fs::path& path) {
  Result<std::string> text = read_file(path);
  return text.ok() ? *std::move(text) : "";
}

std::string text_of(const Evidenced& first) {
  return fmt::format("{}, step {}{}", first.execution, first.step, first.tensor.empty() ? "" : ", " + first.tensor);
}

bool has_failed(const LawResult& law) { return law.state == State::fail || law.state == State::hang; }

const Expectation* known_on_devices(std::string_view law, const ExpectationFile& file, const CaseResult& result, const Facts& facts) {
  if (result.world != world_name(WorldKind::cuda)) return nullptr;
  const Expectation* found = file.find(result.candidate, law, result.variant, result.world, facts);
  return found && !found->quarantine ? found : nullptr;
}

std::string with(const std::string& text, const std::string& more) { return more.empty() ? text : text + "; " + more; }

// What comes and goes is told until its day, and fails from then on.
void judge_quarantined(const Quarantine& quarantine, const std::string& today, CaseResult& result, LawResult& law) {
  const bool over = today > quarantine.until;
  if (law.state == State::pass && over)
    result.notes.push_back(fmt::format("the quarantine of {} ended on {}, and it passes: take the entry out, or give it another day ({})",
                                       law.law, quarantine.until, quarantine.reason));
  if (!has_failed(law) && law.state != State::flaky) return;
  if (over && law.state == State::flaky) law.state = State::fail;
  if (!over) law.state = State::quarantined;
  law.reason = with(fmt::format("{} {}: {}", over ? "its quarantine ended on" : "in quarantine until", quarantine.until, quarantine.reason),
                    law.reason);
}

// Real devices decide for themselves who comes first: whether a known race does harm this time is chance. And so it is what lies by now
// where a graph still reads, from where a tensor is known to have moved: their allocator has had the place back.
bool is_chance(const LawResult& law, bool races, bool moves) {
  return !has_failed(law) && (races || (moves && law.law == "graph_replay" && law.state == State::pass));
}

// What a known race touches may sleep by then, and be no memory at all: its device is lost, and what the rank would have issued.
bool is_lost_to_race(const CaseResult& result) {
  const auto alive = std::ranges::find(result.laws, kSurvives, &LawResult::law);
  return alive != result.laws.end() && has_failed(*alive) && alive->finding &&
         alive->finding->what.find("illegal memory access") != std::string::npos;
}

void excuse_loss(const std::string& rule, LawResult& law) {
  if (!has_failed(law) || (law.law != kSurvives && law.law != "ring_sequence")) return;
  law.state = State::known;
  law.rule = rule;
}

void judge_against(const Expectation& known, const fs::path& path, LawResult& law) {
  if (known.explained()) law.rule = known.rule;
  switch (law.state) {
    case State::fail:
    case State::hang:
      if (!known.explained())
        law.reason = fmt::format("written down, but not explained: the rule is still \"?\" at {}", known.place(path));
      else if (law.finding && evidenced_by(*law.finding) == known.first)
        law.state = State::known, law.reason = known.why();
      else
        law.reason = fmt::format("known to fail otherwise ({}): {}", known.rule, text_of(known.first));
      return;
    case State::pass:
      law.state = State::unexpected_pass;
      law.reason = fmt::format("known to fail ({}): {}; if that is over: --update-expectations", known.rule, text_of(known.first));
      return;
    case State::unsupported:
      law.state = State::inconclusive;
      law.reason = fmt::format("known to fail ({}), but not judged: {}", known.rule, law.reason);
      return;
    default:
      return;
  }
}

}  // namespace

void excuse_by_race(const std::string& rule, LawResult& law) {
  const bool read = law.law == "ring_content" || law.law == "graph_replay";
  if (!(read && (law.state == State::fail || law.state == State::flaky)) && !(law.law == kSameAgain && law.state == State::flaky)) return;
  law.state = State::known;
  law.rule = rule;
}

Evidenced evidenced_by(const Finding& finding) {
  const std::string_view lasting = lasting_execution(finding.execution);
  return {std::string(lasting), finding.step, is_drawn(lasting) ? "" : finding.tensor};
}

Result<ExpectationBook> ExpectationBook::open(std::span<const Case> cases, const std::vector<std::string>& law_ids,
                                              Circumstances circumstances) {
  ExpectationBook book;
  book.circumstances_ = std::move(circumstances);
  book.law_order_ = law_ids;
  for (const Case& one : cases) {
    Page& page = book.pages_[one.file];
    if (page.variants.empty()) page.sample = one;
    page.variants.push_back(one.variant);
  }
  std::string errors;
  for (auto& [file, page] : book.pages_) {
    page.path = find_expectations(page.sample);
    page.file.scenario = page.sample.scenario;
    if (page.path.empty()) continue;
    page.text = text_in(page.path);
    auto read =
        parse_expectations(page.text, page.path.string(), {.laws = law_ids, .variants = page.variants, .scenario = page.sample.scenario});
    if (read.ok())
      page.file = *std::move(read);
    else
      errors += (errors.empty() ? "" : "\n") + read.status().message();
  }
  if (!errors.empty()) return Status(Code::data, errors);
  return book;
}

const ExpectationFile* ExpectationBook::file_of(const std::string& scenario_file) const {
  const auto found = pages_.find(scenario_file);
  return found == pages_.end() ? nullptr : &found->second.file;
}

Facts ExpectationBook::facts_of(const CaseResult& result) const {
  Facts facts = circumstances_.facts;
  facts["ranks"] = fmt::format("{}", result.ranks);
  if (result.world != world_name(WorldKind::cuda)) facts.erase("compute_capability");
  return facts;
}

void ExpectationBook::apply(CaseResult& result) const {
  const auto found = pages_.find(result.file);
  if (found == pages_.end() || result.end != End::judged) return;
  const Page& page = found->second;
  const Facts facts = facts_of(result);
  const Expectation* race = known_on_devices("ring_happens_before", page.file, result, facts);
  const bool moves = known_on_devices("address_stable", page.file, result, facts) != nullptr;
  const bool lost = race && is_lost_to_race(result);
  for (LawResult& law : result.laws) {
    if (race && race->explained()) excuse_by_race(race->rule, law);
    if (lost && race->explained()) excuse_loss(race->rule, law);
    const Expectation* known = page.file.find(result.candidate, law.law, result.variant, result.world, facts);
    if (known && known->quarantine)
      judge_quarantined(*known->quarantine, circumstances_.today, result, law);
    else if (known && !is_chance(law, race != nullptr, moves))
      judge_against(*known, page.path, law);
  }
}

std::vector<std::string> ExpectationBook::unexplained() const {
  std::vector<std::string> found;
  for (const auto& [file, page] : pages_)
    for (const Expectation& one : page.file.known)
      if (one.quarantine && circumstances_.today > one.quarantine->until)
        found.push_back(fmt::format("{}: the quarantine of {} for {} ended on {}, expected a later day, or no entry any more",
                                    one.place(page.path), one.law, one.candidate, one.quarantine->until));
      else if (!one.explained())
        found.push_back(fmt::format("{}: rule is \"?\", expected the rule or bug that explains why {} fails {}", one.place(page.path),
                                    one.candidate, one.law));
  return found;
}

std::vector<std::string> ExpectationBook::misnamed(const std::function<std::string(const std::string&)>& why_not) const {
  std::vector<std::string> found;
  for (const auto& [file, page] : pages_)
    for (const Expectation& one : page.file.known)
      if (const std::string why = why_not(one.candidate); !why.empty()) found.push_back(fmt::format("{}: {}", one.place(page.path), why));
  return found;
}

std::vector<std::string> lint_expectations(std::span<const Case> cases, const std::vector<std::string>& law_ids,
                                           std::span<const std::string> paths, const std::string& today,
                                           const std::function<std::string(const std::string&)>& why_not) {
  std::vector<std::string> found;
  const auto book = ExpectationBook::open(cases, law_ids, {.facts = {}, .today = today});
  if (book.ok())
    found = book->unexplained();
  else
    found.push_back(book.status().message());
  if (book.ok() && why_not) std::ranges::move(book->misnamed(why_not), std::back_inserter(found));
  std::set<fs::path> roots, owned;
  for (const Case& one : cases) {
    const fs::path place = place_expectations(one);
    owned.insert(place.lexically_normal());
    roots.insert(place.parent_path().parent_path());
  }
  for (const fs::path& root : roots) {
    std::error_code error;
    // Below a folder that was given whole every scenario is here, so a file without one is an orphan.
    if (std::none_of(paths.begin(), paths.end(), [&](const std::string& path) { return fs::equivalent(root.parent_path(), path, error); }))
      continue;
    std::vector<fs::path> orphans;
    for (const auto& entry : fs::recursive_directory_iterator(root, error))
      if (entry.path().extension() == ".yaml" && !owned.contains(entry.path().lexically_normal())) orphans.push_back(entry.path());
    std::sort(orphans.begin(), orphans.end());
    for (const fs::path& orphan : orphans)
      found.push_back(fmt::format("{}:1:1: no scenario here is called \"{}\"", orphan.string(), orphan.stem().string()));
  }
  return found;
}

}  // namespace reloadlab::sim
