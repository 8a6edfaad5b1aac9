#include "sim/report/run_result.h"

#include <algorithm>
#include <array>
#include <utility>

namespace reloadlab::sim {
namespace {

constexpr std::array<std::pair<State, std::string_view>, 9> kStateNames{{
    {State::pass, "pass"},
    {State::fail, "fail"},
    {State::known, "known"},
    {State::unexpected_pass, "unexpected_pass"},
    {State::inconclusive, "inconclusive"},
    {State::unsupported, "unsupported"},
    {State::flaky, "flaky"},
    {State::hang, "hang"},
    {State::quarantined, "quarantined"},
}};
constexpr std::array<std::pair<End, std::string_view>, 4> kEndNames{{
    {End::judged, "judged"},
    {End::skipped, "skipped"},
    {End::bad_data, "bad_data"},
    {End::defect, "defect"},
}};

template <class Names, class Key>
std::string_view name_of(const Names& names, Key key) {
  return std::find_if(names.begin(), names.end(), [&](const auto& entry) { return entry.first == key; })->second;
}

template <class Key, class Names>
std::optional<Key> key_of(const Names& names, std::string_view name) {
  const auto found = std::find_if(names.begin(), names.end(), [&](const auto& entry) { return entry.second == name; });
  return found == names.end() ? std::nullopt : std::optional<Key>(found->first);
}

}  // namespace

std::string_view state_name(State state) { return name_of(kStateNames, state); }
std::optional<State> state_from_name(std::string_view name) { return key_of<State>(kStateNames, name); }
std::string_view end_name(End end) { return name_of(kEndNames, end); }
std::optional<End> end_from_name(std::string_view name) { return key_of<End>(kEndNames, name); }

bool needs_attention(State state) {
  return state != State::pass && state != State::known && state != State::unsupported && state != State::quarantined;
}

std::map<State, int64_t> count_states(const RunResult& result) {
  std::map<State, int64_t> counts;
  for (const CaseResult& one : result.cases)
    for (const LawResult& law : one.laws) ++counts[law.state];
  return counts;
}

std::map<End, int64_t> count_ends(const RunResult& result) {
  std::map<End, int64_t> counts;
  for (const CaseResult& one : result.cases) ++counts[one.end];
  return counts;
}

Exit exit_code(const RunResult& result) {
  const auto ends = count_ends(result);
  const auto states = count_states(result);
  if (ends.contains(End::defect)) return Exit::defect;
  if (states.contains(State::hang)) return Exit::hang;
  if (states.contains(State::fail)) return Exit::failed;
  if (states.contains(State::unexpected_pass)) return Exit::unexpected_pass;
  if (states.contains(State::flaky)) return Exit::flaky;
  if (states.contains(State::inconclusive)) return Exit::inconclusive;
  if (ends.contains(End::bad_data)) return Exit::bad_scenario;
  if (result.baseline && result.baseline->compared == 0) return Exit::nothing_ran;  // held against nothing
  return states.contains(State::pass) || states.contains(State::known) || states.contains(State::quarantined) ? Exit::held
                                                                                                              : Exit::nothing_ran;
}

}  // namespace reloadlab::sim
