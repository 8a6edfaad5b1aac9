// mutants: every mutant against scenarios, and which law killed which. A mutant that lives, or that nothing but a crash killed, fails, and
// so does a situation that a suite must meet (sim/law/probes.h) and that no case met.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "reference/base/nearest.h"
#include "sim/cli/commands.h"
#include "sim/law/probes.h"
#include "sim/report/kill_matrix.h"
#include "sim/report/run_folder.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kFamily = "mutant@";
// What makes no mistake and is otherwise as the mutants whose names begin so; the first that fits.
constexpr std::pair<std::string_view, std::string_view> kControls[] = {
    {"mutant@ring_static", "mutant@ring_static"}, {"mutant@ring_", "mutant@ring_none"}, {"mutant@", "mutant@none"}};

std::string_view control_of(std::string_view mutant) {
  return std::ranges::find_if(kControls, [&](const auto& each) { return mutant.starts_with(each.first); })->second;
}

struct MutantTexts {
  std::vector<std::string> paths{"scenarios/bugs",
                                 "scenarios/layerwise/allocators.yaml",
                                 "scenarios/layerwise/graphs_of_several_sizes.yaml",
                                 "scenarios/layerwise/sleep_and_wake.yaml",
                                 "scenarios/layerwise/sleep_padded.yaml",
                                 "scenarios/layerwise/tensor_parallel.yaml",
                                 "scenarios/layerwise/transport_by_ipc.yaml",
                                 "scenarios/layerwise/transport_by_stream.yaml",
                                 "scenarios/online_quant/oq_abort.yaml",
                                 "scenarios/online_quant/oq_created_scale.yaml",
                                 "scenarios/online_quant/oq_layers_not_sent.yaml",
                                 "scenarios/online_quant/oq_several_calls.yaml",
                                 "scenarios/online_quant/oq_transport_by_ipc.yaml",
                                 "scenarios/online_quant/oq_transport_by_stream.yaml",
                                 "scenarios/online_quant/oq_sleep.yaml",
                                 "scenarios/shared_series/captured_and_reloaded.yaml",
                                 "scenarios/shared_series/captured_between_turns.yaml",
                                 "scenarios/shared_series/captured_in_vain.yaml",
                                 "scenarios/shared_series/captured_pass.yaml",
                                 "scenarios/shared_series/companions.yaml",
                                 "scenarios/shared_series/drains.yaml",
                                 "scenarios/shared_series/early_exit_and_reset.yaml",
                                 "scenarios/shared_series/first_layers_stay.yaml",
                                 "scenarios/shared_series/first_load_in_part.yaml",
                                 "scenarios/shared_series/forwards_on_a_joined_stream.yaml",
                                 "scenarios/shared_series/forwards_on_an_unjoined_stream.yaml",
                                 "scenarios/shared_series/indices_with_a_gap.yaml",
                                 "scenarios/shared_series/late_start_far_ahead.yaml",
                                 "scenarios/shared_series/layerwise_recorded_after.yaml",
                                 "scenarios/shared_series/look_ahead_too_far.yaml",
                                 "scenarios/shared_series/never_reached.yaml",
                                 "scenarios/shared_series/one_layer.yaml",
                                 "scenarios/shared_series/padded_and_reloaded.yaml",
                                 "scenarios/shared_series/pass_times_after_reloads.yaml",
                                 "scenarios/shared_series/pass_times_of_unequal_layers.yaml",
                                 "scenarios/shared_series/plain_ring.yaml",
                                 "scenarios/shared_series/reload_from_a_checkpoint.yaml",
                                 "scenarios/shared_series/reload_in_place.yaml",
                                 "scenarios/shared_series/reload_mid_pass.yaml",
                                 "scenarios/shared_series/reload_refused.yaml",
                                 "scenarios/shared_series/replaced_parameter.yaml",
                                 "scenarios/shared_series/resets.yaml",
                                 "scenarios/shared_series/second_reader.yaml",
                                 "scenarios/shared_series/shapes_differ.yaml",
                                 "scenarios/shared_series/two_series_one_group.yaml"};
  std::vector<std::string> only;
  std::string out = "out", silence = "10s", on, delays, json;
  int jobs = 1;
};

// The laws that failed, each with all scenarios and the first case in which it did, and with what was found there.
struct Kill {
  std::string law, where, what;
  std::set<std::string> scenarios;
};
using Cases = std::set<std::string>;

std::vector<Kill> kills_of(const RunResult& result, const std::string& mutant, const Cases& out_of_reach) {
  std::vector<Kill> kills;
  for (const CaseResult& one : result.cases) {
    if (one.candidate != mutant || out_of_reach.contains(one.id())) continue;
    for (const LawResult& law : one.laws) {
      if (law.state != State::fail && law.state != State::hang) continue;
      auto kill = std::ranges::find(kills, law.law, &Kill::law);
      if (kill == kills.end()) kill = kills.insert(kills.end(), Kill{law.law, one.id(), law.finding ? law.finding->what : "", {}});
      kill->scenarios.insert(one.scenario);
    }
  }
  return kills;
}

// Cases that the control, which does nothing wrong, cannot do: there a failure says nothing about what is wrong in a mutant.
Cases beyond_the_control(const RunResult& result, std::string_view control) {
  Cases cases;
  for (const CaseResult& one : result.cases)
    for (const LawResult& law : one.laws)
      if (one.candidate == control && (law.state == State::fail || law.state == State::hang)) cases.insert(one.id());
  return cases;
}

bool ran(const RunResult& result, const std::string& mutant) {
  return std::ranges::any_of(result.cases, [&](const CaseResult& one) { return one.candidate == mutant && one.end != End::skipped; });
}

// A crash speaks for a mutant only where a GPU has no other way to say that memory was touched which is not there.
bool is_by_law(const Kill& kill) { return kill.law != kSurvives || kill.what.find("illegal memory access") != std::string::npos; }

// What is wrong with the outcome; empty when a law killed the mutant, and for the control.
std::string complaint(const std::string& mutant, const std::vector<Kill>& kills) {
  if (mutant == control_of(mutant)) return "";
  if (kills.empty()) return "survives";
  return std::ranges::any_of(kills, is_by_law) ? "" : "killed by nothing but a crash";
}

bool print_matrix(const RunResult& result, const std::vector<std::string>& mutants, KillMatrix& matrix) {
  std::vector<std::vector<std::string>> rows;
  bool fine = true;
  std::map<std::string_view, Cases> beyond;
  for (const auto& [begin, control] : kControls) beyond[control] = beyond_the_control(result, control);
  for (const std::string& mutant : mutants) {
    const Cases& out_of_reach = beyond.at(control_of(mutant));
    if (!ran(result, mutant)) {
      rows.push_back({mutant, "not run: no scenario of its system that this machine can play", "", ""});
      continue;
    }
    const std::vector<Kill> kills = kills_of(result, mutant, out_of_reach);
    const std::string wrong = complaint(mutant, kills);
    fine = fine && wrong.empty();
    std::string says = wrong.empty() ? "killed" : "NOT FINE: " + wrong;
    if (mutant == control_of(mutant)) says = fmt::format("does all but {} cases, which are left out", out_of_reach.size());
    rows.push_back({mutant, std::move(says), "", ""});
    for (const Kill& kill : kills) {
      const size_t others = kill.scenarios.size() - 1;
      rows.push_back({"", "", kill.law,
                      kill.where + (others > 0 ? fmt::format(" and {}", plural(static_cast<int64_t>(others), "other scenario")) : "")});
      if (mutant == control_of(mutant)) continue;
      for (const std::string& scenario : kill.scenarios) matrix.add(mutant, kill.law, scenario);
    }
  }
  fmt::print("{}", aligned(rows, "  "));
  return fine;
}

// False where something must occur and did not. A few scenarios, or a few mutants, need not meet everything.
bool print_probes(const RunResult& result, bool all_must_occur) {
  std::vector<std::vector<std::string>> rows;
  bool fine = true;
  for (const Probe& probe : probes()) {
    const auto hits = std::ranges::count_if(
        result.cases, [&](const CaseResult& one) { return std::ranges::find(one.probes, probe.id) != one.probes.end(); });
    const bool missed = hits == 0 && all_must_occur;
    fine = fine && !missed;
    rows.push_back({std::string(probe.id), missed ? "NOT FINE: in no case" : "in " + plural(hits, "case"), std::string(probe.sentence)});
  }
  fmt::print("\nmust occur\n{}", aligned(rows, "  "));
  return fine;
}

std::vector<std::string> law_ids(const RunResult& result) {
  std::vector<std::string> ids;
  for (const LawText& law : result.laws)
    if (law.id != kSameAgain) ids.push_back(law.id);
  return ids;
}

// Those that are asked for, with or without the family's name, or all of them; and the controls that say what they are held against.
Result<std::vector<std::string>> chosen(std::vector<std::string> only, const Engine& engine) {
  std::vector<std::string> names = engine.candidate_names();
  std::erase_if(names, [](const std::string& name) { return !name.starts_with(kFamily); });
  if (names.empty()) return Status(Code::usage, "this program has no mutants linked");
  for (std::string& one : only) {
    if (!one.starts_with(kFamily)) one.insert(0, kFamily);
    if (std::ranges::find(names, one) == names.end())
      return Status(Code::usage, fmt::format("no mutant is called \"{}\"{}", one, did_you_mean(one, names)));
  }
  std::erase_if(names, [&](const std::string& name) {
    return !only.empty() && std::ranges::none_of(only, [&](const auto& one) { return one == name || control_of(one) == name; });
  });
  return names;
}

Result<Exit> mutants(const MutantTexts& texts, const Program& program) {
  CampaignOptions options{.jobs = texts.jobs, .isolation = Isolation::workers, .expectations = false, .out = texts.out};
  options.program = program.name;
  options.worker_command = worker_command(texts.silence);
  RELOADLAB_ASSIGN(options.silence_seconds, read_patience(texts.silence));
  const SelectionTexts where{.paths = texts.paths, .on = texts.on, .delays = texts.delays};
  RELOADLAB_ASSIGN(options.selection, read_selection(where));
  RELOADLAB_ASSIGN(options.selection.candidates, chosen(texts.only, program.engine));
  options.quiet = true;  // their failures are what is wanted: nobody needs to read each
  RELOADLAB_TRY(may_write(texts.json));
  RELOADLAB_ASSIGN(const RunResult result, run_campaign(options, program.engine, {stderr, ::isatty(STDERR_FILENO) == 1}));
  KillMatrix matrix;
  bool fine = print_matrix(result, options.selection.candidates, matrix);
  fmt::print("{}", matrix.text(law_ids(result)));
  fine &= print_probes(result, texts.only.empty() && texts.paths == MutantTexts().paths);
  if (!texts.json.empty()) RELOADLAB_TRY(write_file(texts.json, matrix.json(law_ids(result)).dump(1) + "\n"));
  const Exit code = exit_code(result);
  if (code == Exit::defect || code == Exit::nothing_ran) return code;
  return fine ? Exit::held : Exit::failed;
}

}  // namespace

Command add_mutants(const Parser& app, const Program& program) {
  const Parser parser = app.add_subcommand("mutants", "Run every mutant, isolated, and say which law killed which in which scenario");
  auto texts = std::make_shared<MutantTexts>();
  parser.add_option("paths", texts->paths, "Scenario files and folders").type_name("PATH").capture_default_str();
  parser.add_option("--mutant", texts->only, "This one and its control only; may be given again").type_name("NAME").allow_extra_args(false);
  parser.add_option("--on", texts->on, "As `run` has it: on these devices").type_name("WORLD");
  parser.add_option("--delays", texts->delays, "As `run` has it: where streams of world cuda lose time").type_name("SEED");
  parser.add_option("--jobs", texts->jobs, "Worker processes side by side").range(1, 1024).type_name("N");
  parser.add_option("--hang-after", texts->silence, "How long without a step beginning is a hang: 500ms, 30s, 2m, 1h").type_name("TIME");
  parser.add_option("--json", texts->json, "Write mutants × laws × scenarios as data").type_name("FILE");
  parser.add_option("--out", texts->out, "Folder that gets the run's folder").type_name("DIR");
  return {parser, [texts, &program] { return mutants(*texts, program); }};
}

}  // namespace reloadlab::sim
