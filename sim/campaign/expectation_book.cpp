#include "sim/campaign/expectation_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "sim/report/run_folder.h"

namespace reloadlab::sim {
namespace fs = std::filesystem;
namespace {

std::string text_in(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

Evidenced evidenced(const Finding& finding) { return {finding.execution, finding.step, finding.tensor}; }

std::string text_of(const Evidenced& first) {
  return fmt::format("{}, step {}{}", first.execution, first.step, first.tensor.empty() ? "" : ", " + first.tensor);
}

void judge_against(const Expectation& known, LawResult& law) {
  law.rule = known.rule;
  switch (law.state) {
    case State::fail:
    case State::hang:
      if (law.finding && evidenced(*law.finding) == known.first)
        law.state = State::known;
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

std::string first_rule(std::string_view about) {
  static const std::regex rule(R"(\b(LW|OQ|SW|B|L)[0-9]{1,3}\b)");
  std::match_results<std::string_view::const_iterator> match;
  return std::regex_search(about.begin(), about.end(), match, rule) ? match.str() : std::string();
}

Result<ExpectationBook> ExpectationBook::open(std::span<const Case> cases, const std::vector<std::string>& law_ids) {
  ExpectationBook book;
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
    auto read = parse_expectations(text_in(page.path), page.path.string(),
                                   {.laws = law_ids, .variants = page.variants, .scenario = page.sample.scenario});
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

void ExpectationBook::apply(CaseResult& result) const {
  const ExpectationFile* file = file_of(result.file);
  if (!file || result.end != End::judged) return;
  for (LawResult& law : result.laws)
    if (const Expectation* known = file->find(result.candidate, law.law, result.variant)) judge_against(*known, law);
}

void ExpectationBook::learn(const CaseResult& result) {
  const auto found = pages_.find(result.file);
  if (found == pages_.end() || result.end != End::judged) return;
  Page& page = found->second;
  page.learnt = true;
  // Entries become one per variant here; save() puts equal ones together again.
  std::vector<Expectation> split;
  for (const Expectation& one : page.file.known)
    for (const std::string& variant : one.variants.empty() ? page.variants : one.variants) {
      split.push_back(one);
      split.back().variants = {variant};
    }
  for (const LawResult& law : result.laws) {
    if (law.state == State::inconclusive || law.state == State::unsupported || law.state == State::flaky) continue;
    const auto old = std::find_if(split.begin(), split.end(),
                                  [&](const Expectation& one) { return one.covers(result.candidate, law.law, result.variant); });
    const Expectation before = old == split.end() ? Expectation{} : *old;
    if (old != split.end()) split.erase(old);
    if (!law.finding) continue;
    Expectation fresh{result.candidate, law.law, before.rule, evidenced(*law.finding), {result.variant}};
    const std::string named = first_rule(page.sample.about);
    if (!named.empty() && !(before.first == fresh.first && !before.rule.empty())) fresh.rule = named;
    if (fresh.rule.empty())
      page.unexplained.insert(fmt::format("{} {}", result.candidate, law.law));
    else
      split.push_back(std::move(fresh));
  }
  page.file.known = std::move(split);
}

namespace {

// Entries that differ in nothing but their variant become one.
std::vector<Expectation> grouped_entries(const std::vector<Expectation>& split, const std::vector<std::string>& variants,
                                         const std::vector<std::string>& law_order) {
  std::vector<Expectation> groups;
  for (const std::string& variant : variants)
    for (const Expectation& one : split) {
      if (one.variants != std::vector{variant}) continue;
      const auto same = std::find_if(groups.begin(), groups.end(), [&](const Expectation& group) {
        return group.candidate == one.candidate && group.law == one.law && group.rule == one.rule && group.first == one.first;
      });
      if (same == groups.end())
        groups.push_back(one);
      else
        same->variants.push_back(variant);
    }
  for (Expectation& group : groups)
    if (group.variants.size() == variants.size()) group.variants.clear();
  const auto place = [&](const Expectation& one) { return std::find(law_order.begin(), law_order.end(), one.law) - law_order.begin(); };
  std::stable_sort(groups.begin(), groups.end(), [&](const Expectation& a, const Expectation& b) {
    return a.candidate != b.candidate ? a.candidate < b.candidate : place(a) < place(b);
  });
  return groups;
}

}  // namespace

Result<std::vector<std::string>> ExpectationBook::save() {
  std::vector<std::string> done;
  for (auto& [file, page] : pages_) {
    if (!page.learnt) continue;
    for (const std::string& what : page.unexplained)
      done.push_back(fmt::format("{}: {} fails, and no rule explains it: name one (LW5, B10, …) in `about`; not written down", file, what));
    page.file.known = grouped_entries(page.file.known, page.variants, law_order_);
    std::error_code error;
    if (page.file.known.empty()) {
      if (!page.path.empty() && fs::remove(page.path, error)) done.push_back(fmt::format("removed {}", page.path.string()));
      page.path.clear();
      continue;
    }
    if (page.path.empty()) page.path = place_expectations(page.sample);
    fs::create_directories(page.path.parent_path(), error);
    const std::string text = expectations_text(page.file);
    if (text == text_in(page.path)) continue;
    RELOADLAB_TRY(write_file(page.path, text));
    done.push_back(fmt::format("wrote {}", page.path.string()));
  }
  return done;
}

std::vector<std::string> lint_expectations(std::span<const Case> cases, const std::vector<std::string>& law_ids,
                                           std::span<const std::string> paths) {
  std::vector<std::string> found;
  if (auto book = ExpectationBook::open(cases, law_ids); !book.ok()) found.push_back(book.status().message());
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
