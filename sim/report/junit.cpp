#include "sim/report/junit.h"

#include <fmt/format.h>

#include <pugixml.hpp>
#include <sstream>
#include <utility>

#include "sim/report/text.h"
#include "sim/report/verdict_text.h"

namespace reloadlab::sim {
namespace {

void set(pugi::xml_node node, const char* name, const std::string& value) { node.append_attribute(name) = printable(value).c_str(); }

void child(pugi::xml_node node, const char* kind, std::string_view type, const std::string& message, const std::string& text = {}) {
  pugi::xml_node node_child = node.append_child(kind);
  set(node_child, "type", std::string(type));
  set(node_child, "message", message);
  if (!text.empty()) node_child.text().set(printable(text).c_str());
}

void add_law(pugi::xml_node node, const LawResult& law) {
  const std::string what = law.finding ? law.finding->what : law.reason;
  switch (law.state) {
    case State::pass:
      return;
    case State::fail:
    case State::flaky:
    case State::hang:
      return child(node, "failure", state_name(law.state), what.empty() ? law.reason : what, finding_text(law));
    case State::unexpected_pass:
      return child(node, "failure", "unexpected_pass", unexpected_pass_text(law));
    case State::known:
      return child(node, "skipped", "known", fmt::format("fails as known: {}{}{}", law.rule, law.reason.empty() ? "" : ": ", law.reason));
    case State::quarantined:
      return child(node, "skipped", "quarantined", law.reason);
    case State::unsupported:
      return child(node, "skipped", "unsupported", law.reason);
    case State::inconclusive:
      return child(node, "error", "inconclusive", law.reason);
  }
}

void add_case(pugi::xml_node suite, const CaseResult& one) {
  const auto add = [&](const std::string& name) {
    pugi::xml_node node = suite.append_child("testcase");
    set(node, "classname", fmt::format("{}.{}", one.candidate, one.id()));
    set(node, "name", name);
    return node;
  };
  if (one.end != End::judged) {
    child(add("run"), one.end == End::skipped ? "skipped" : "error", end_name(one.end), one.reason);
    return;
  }
  for (const LawResult& law : one.laws) add_law(add(law.law), law);
}

void count_children(pugi::xml_node suite) {
  int tests = 0, failures = 0, errors = 0, skipped = 0;
  for (pugi::xml_node test : suite.children("testcase")) {
    ++tests;
    failures += !test.child("failure").empty();
    errors += !test.child("error").empty();
    skipped += !test.child("skipped").empty();
  }
  for (const auto& [name, count] : {std::pair{"tests", tests}, {"failures", failures}, {"errors", errors}, {"skipped", skipped}})
    suite.append_attribute(name) = count;
}

}  // namespace

std::string junit_xml(const RunResult& run) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("testsuites");
  set(root, "name", "reloadlab " + run.name);
  std::map<std::pair<std::string, std::string>, std::pair<pugi::xml_node, double>> suites;
  for (const CaseResult& one : run.cases) {
    const auto [place, fresh] = suites.try_emplace({one.candidate, one.file});
    auto& [suite, seconds] = place->second;
    if (fresh) {
      suite = root.append_child("testsuite");
      set(suite, "name", fmt::format("{} {}", one.candidate, one.file));
    }
    add_case(suite, one);
    seconds += one.seconds;
  }
  for (auto& [key, suite] : suites) {
    count_children(suite.first);
    set(suite.first, "timestamp", run.run.started);
    set(suite.first, "hostname", run.run.host);
    set(suite.first, "time", fmt::format("{:.3f}", suite.second));
  }
  std::ostringstream out;
  document.save(out, " ");
  return out.str();
}

}  // namespace reloadlab::sim
