// fuzz: cases that nobody wrote.
#include "sim/cli/fuzz.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "reference/base/nearest.h"
#include "reference/base/read_file.h"
#include "sim/fuzz/generate.h"
#include "sim/fuzz/hunt.h"
#include "sim/fuzz/summary.h"
#include "sim/law/probes.h"
#include "sim/report/run_folder.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

// A line now and then: on a terminal every second, elsewhere every ten.
class Telling {
 public:
  Telling(bool terminal, const std::string& system) : every_(terminal ? 1.0 : 10.0), drawn_probes_(probes_of_drawn(system).size()) {}
  void tell(const fuzz::Progressed& progress, size_t causes) {
    if (progress.seconds < next_) return;
    next_ = progress.seconds + every_;
    fmt::print(stderr, "{}\n", line(progress, causes));
  }
  std::string line(const fuzz::Progressed& progress, size_t causes) const {
    return fmt::format("{}, {:.0f}/s, {}, {} failing, {}, {} of {} probes, {} since the last new one", plural(progress.cases, "case"),
                       static_cast<double>(progress.cases) / std::max(progress.seconds, 1e-3),
                       plural(static_cast<int64_t>(progress.shapes.size()), "shape"), grouped(progress.failing),
                       plural(static_cast<int64_t>(causes), "cause"), progress.probes.size(), drawn_probes_,
                       seconds_text(progress.seconds - progress.last_new_seconds));
  }

 private:
  const double every_;
  const size_t drawn_probes_;
  double next_ = 0;
};

Status check_system(const std::string& system) {
  const std::vector<std::string>& systems = fuzz::drawn_systems();
  if (std::ranges::count(systems, system) > 0) return {};
  return Status(Code::usage, fmt::format("--system: no cases are drawn for \"{}\", expected one of {}{}", system, fmt::join(systems, ", "),
                                         did_you_mean(system, systems)));
}

// Where the program has mutants.
std::string canary_of(const std::string& system, const Engine& engine) {
  const std::string name = system == "layerwise"      ? "mutant@lw_last_row_lost"
                           : system == "online_quant" ? "mutant@oq_last_row_lost"
                                                      : "mutant@ring_no_wait";
  return engine.candidate(name).ok() ? name : "";
}

Result<fuzz::HuntOptions> read_fuzz_options(const FuzzTexts& texts, const Program& program) {
  fuzz::HuntOptions options = texts.options;
  const std::vector<std::string>& systems = fuzz::drawn_systems();
  if (options.candidate.empty() && options.system.empty())
    return Status(Code::usage, fmt::format("fuzz needs --system or --candidate; systems are {}", fmt::join(systems, ", ")));
  if (!options.system.empty()) RELOADLAB_TRY(check_system(options.system));
  if (options.candidate.empty()) options.candidate = options.system + "@hardened";
  RELOADLAB_ASSIGN(const EngineCandidate candidate, program.engine.candidate(options.candidate));
  options.candidate = candidate.name;
  if (options.system.empty()) options.system = candidate.system;
  RELOADLAB_TRY(check_system(options.system));
  if (candidate.system != options.system)
    return Status(Code::usage, fmt::format("--candidate {} is of system {}, not of {}", candidate.name, candidate.system, options.system));
  options.canary = canary_of(options.system, program.engine);
  if (!options.control.empty()) {
    RELOADLAB_ASSIGN(const EngineCandidate control, program.engine.candidate(options.control));
    options.control = control.name;
  }
  if (!texts.seed.empty()) {
    RELOADLAB_ASSIGN(options.seed, read_seed("--seed", texts.seed));
  }
  if (!texts.on.empty()) {
    RELOADLAB_ASSIGN(options.on, read_device_world(texts.on));
  }
  if (!texts.seconds.empty()) {
    RELOADLAB_ASSIGN(options.seconds, read_duration(texts.seconds));
  }
  if (texts.cases > 0) options.cases = texts.cases;
  if (!options.cases && !options.seconds) options.seconds = 60;
  RELOADLAB_ASSIGN(options.shard, read_shard(texts.shard, environment_of_this_process()));
  return options;
}

// Whether the candidate may crash: whose code this program was not built with plays in processes of their own.
Result<bool> needs_processes(const FuzzTexts& texts, const std::string& candidate) {
  RELOADLAB_ASSIGN(const Isolation isolation, read_isolation("", Selection{.candidates = {candidate}}));
  return texts.jobs > 1 || isolation != Isolation::none;
}

Result<fuzz::Summary> fuzz_here(const FuzzTexts& texts, const fuzz::HuntOptions& options, const Program& program,
                                const fuzz::Stored& stored, const FuzzKeeping::Tell& tell) {
  Telling telling(::isatty(STDERR_FILENO) == 1, options.system);
  FuzzKeeping keeping(texts.store, tell);
  keeping.set_mended(stored.mended_texts());
  const fuzz::Told told =
      told_to(keeping, options.candidate, [&](const fuzz::Progressed& progress, size_t causes) { telling.tell(progress, causes); });
  RELOADLAB_ASSIGN(const fuzz::Hunted hunted, fuzz::hunt(options, program.engine, told));
  RELOADLAB_TRY(keeping.count(options.candidate, hunted.found, 0, true));
  return fuzz::summary_of(hunted, options.system);
}

// A failure: for people, and the line that plays it again.
FuzzKeeping::Tell tell_here(const Program& program) {
  return [&program](const fuzz::Cause&, const std::string& block, const std::string& token) {
    fmt::print(stderr, "{}", block);
    fmt::print("{} replay {}\n", program.name, shell_word(token));
    std::fflush(stdout);
  };
}

// What the store has fails, too, whether a new case showed it or not.
void add_stored(const fuzz::Stored& stored, fuzz::Summary& summary) {
  summary.hanging += stored.hanging;
  for (const auto* kept : {&stored.failing, &stored.relapsed})
    for (const fuzz::Kept& one : *kept)
      if (fuzz::Summary::Seen& seen = summary.causes[one.entry.cause]; seen.token.empty()) seen.token = one.entry.token;
}

// `gates`: a probe that no case met says that the campaign looked in the wrong places.
Exit exit_of_summary(const fuzz::Summary& summary, bool gates) {
  const std::vector<std::string_view> missing = gates ? fuzz::probes_missed(summary) : std::vector<std::string_view>();
  for (const std::string_view probe : missing) fmt::print(stderr, "probe {}: no case met it\n", probe);
  if (!summary.defect.empty()) return Exit::defect;
  if (summary.hanging > 0) return Exit::hang;
  if (!summary.causes.empty()) return Exit::failed;
  if (summary.judged == 0) return Exit::nothing_ran;
  return missing.empty() ? Exit::held : Exit::inconclusive;
}

Result<Exit> end(const FuzzTexts& texts, const fuzz::Summary& summary, bool gates) {
  fmt::print(stderr, "{}", summary_text(summary));
  if (!texts.summary.empty()) RELOADLAB_TRY(write_file(texts.summary, to_json(summary).dump(1) + "\n"));
  return exit_of_summary(summary, gates);
}

Result<Exit> merge(const FuzzTexts& texts) {
  std::optional<fuzz::Summary> all;
  for (const std::string& file : texts.merged) {
    const Result<std::string> text = read_file(file);
    if (!text.ok()) return Status(Code::usage, "--merge: " + text.status().message());
    Result<fuzz::Summary> one = fuzz::summary_from(*text);
    if (!one.ok()) return Status(Code::data, fmt::format("{}: {}", file, one.status().message()));
    if (all && all->system != one->system)
      return Status(Code::usage, fmt::format("--merge: {} is of {}, the ones before it of {}", file, one->system, all->system));
    if (all) all->add(*one);
    if (!all) all = *std::move(one);
  }
  return end(texts, *all, true);
}

Result<fuzz::Summary> campaign(const FuzzTexts& texts, fuzz::HuntOptions options, const Program& program) {
  RELOADLAB_ASSIGN(const fuzz::Stored stored, play_stored(texts, options.candidate, program));
  stored.tell(options);
  const FuzzKeeping::Tell tell = tell_here(program);
  fuzz::Summary summary;
  if (!options.fail_fast || stored.causes().empty()) {
    RELOADLAB_ASSIGN(const bool processes, needs_processes(texts, options.candidate));
    RELOADLAB_ASSIGN(
        summary, processes ? fuzz_in_processes(texts, options, program, stored, tell) : fuzz_here(texts, options, program, stored, tell));
  }
  add_stored(stored, summary);
  return summary;
}

Result<Exit> fuzz_action(const FuzzTexts& texts, const Program& program) {
  if (texts.store.empty()) return Status(Code::usage, "--store needs the name of a folder");
  RELOADLAB_TRY(may_write(texts.summary));  // and not when the campaign is over
  if (!texts.merged.empty()) return merge(texts);
  RELOADLAB_ASSIGN(const fuzz::HuntOptions options, read_fuzz_options(texts, program));
  RELOADLAB_TRY(host_candidates(program, {options.candidate}));
  if (texts.part) return fuzz_part(texts, options, program);
  RELOADLAB_ASSIGN(const fuzz::Summary summary, campaign(texts, options, program));
  return end(texts, summary, texts.gates);
}

}  // namespace

Command add_fuzz(const Parser& app, const Program& program) {
  const Parser parser = app.add_subcommand("fuzz", "Draw cases, play them, and make small what fails");
  auto texts = std::make_shared<FuzzTexts>();
  parser
      .add_option("--system", texts->options.system,
                  fmt::format("What cases are drawn for: {}. Default: the candidate's", fmt::join(fuzz::drawn_systems(), ", ")))
      .type_name("SYSTEM");
  parser.add_option("--candidate", texts->options.candidate, "Implementation under test. Default: the system's hardened profile")
      .type_name("NAME");
  parser
      .add_option(
          "--control", texts->options.control,
          "Another implementation: laws that it breaks in the same case count for nothing. For candidates that are wrong on purpose")
      .type_name("NAME");
  parser.add_option("--seed", texts->seed, "A number, or a commit of 40 hexadecimal digits").type_name("SEED");
  parser.add_option("--on", texts->on, "Play every case there: sim or cuda. Default: each where its contracts can be judged, without a GPU")
      .type_name("WORLD");
  parser.add_option("--cases", texts->cases, "So many cases").range(1, int64_t{1} << 40).type_name("N");
  parser
      .add_option("--for", texts->seconds,
                  "Start no case after so long, and make none smaller a tenth of it or 10 s later: 500ms, 30s, 2m, 1h (default, without "
                  "--cases: 60s)")
      .type_name("TIME");
  parser.add_option("--shard", texts->shard, "A part of the cases, as `run` has it").type_name("I/N");
  parser.add_flag("--fail-fast", texts->options.fail_fast, "Stop at the first case that fails; with --jobs each process does");
  parser.add_option("--jobs", texts->jobs, "Processes side by side, each with a part of the cases").range(1, 1024).type_name("N");
  parser.add_option("--shrink-tries", texts->options.shrink_tries, "So many smaller cases are played for each cause, at most")
      .range(0, int64_t{1} << 30)
      .capture_default_str()
      .type_name("N");
  parser.add_option("--store", texts->store, "Folder that keeps a scenario file for each cause; what it has is played first")
      .capture_default_str()
      .type_name("DIR");
  parser.add_option("--summary", texts->summary, "Write what it came to as data, which --merge puts together").type_name("FILE");
  parser
      .add_option("--merge", texts->merged, "Play nothing: put summaries of shards together; a probe that none of them met is exit code 2")
      .type_name("FILE ...");
  parser.add_flag("--require-probes", texts->gates, "Exit code 2 where nothing fails, and a probe of the system was met by no case");
  parser.add_flag("--part", texts->part).group("");
  parser.add_option("--first", texts->options.first).group("");
  return {parser, [texts, &program] { return fuzz_action(*texts, program); }};
}

}  // namespace reloadlab::sim
