// compare --random: candidates side by side over drawn cases.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "sim/cli/commands.h"
#include "sim/fuzz/generate.h"
#include "sim/fuzz/token.h"
#include "sim/report/run_folder.h"
#include "sim/report/text.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

constexpr int64_t kAtOnce = 1000;  // cases that are in memory
constexpr int64_t kShownOfAKind = 2;

// "blocks.0.it.weight differs in 12" and "blocks.31.it.weight differs in 7" are of a kind.
std::string without_numbers(const std::string& text) {
  std::string kind;
  for (const char letter : text) {
    const bool digit = std::isdigit(static_cast<unsigned char>(letter)) != 0;
    if (!digit || kind.empty() || kind.back() != '#') kind += digit ? '#' : letter;
  }
  return kind;
}

class RandomCases {
 public:
  RandomCases(const CandidatesTexts& texts, const CampaignOptions& options, const std::vector<KnownDifference>& known, const Engine& engine)
      : texts_(texts), options_(options), known_(known), engine_(engine) {}

  Result<Exit> run() {
    RELOADLAB_TRY(find_candidates());
    const std::unique_ptr<Runner> runner = make_runner();
    for (int64_t first = 0; first < texts_.random; first += kAtOnce) {
      RELOADLAB_TRY(play(first, std::min(first + kAtOnce, texts_.random), *runner));
      fmt::print(stderr, "{} of {}: {}\n", grouped(std::min(first + kAtOnce, texts_.random)), plural(texts_.random, "case"), counts_text());
    }
    for (const auto& [kind, count] : kinds_) fmt::print(stderr, "{:>8}  {}\n", grouped(count), kind);
    if (counts_["differs"] > 0) return Exit::failed;
    return counts_["the same"] + counts_["known"] > 0 ? Exit::held : Exit::nothing_ran;
  }

 private:
  Status find_candidates() {
    for (const std::string& spelling : options_.selection.candidates) {
      RELOADLAB_ASSIGN(EngineCandidate candidate, engine_.candidate(spelling));
      if (!system_.empty() && system_ != candidate.system)
        return Status(Code::usage,
                      fmt::format("--random: {} is of system {}, the others of {}", candidate.name, candidate.system, system_));
      if (std::ranges::count(candidates_, candidate.name) > 0)
        return Status(Code::usage, fmt::format("--candidate {} is given twice", candidate.name));
      system_ = candidate.system;
      candidates_.push_back(std::move(candidate.name));
    }
    if (candidates_.size() < 2) return Status(Code::usage, "--random needs two candidates or more, each with --candidate");
    if (std::ranges::count(fuzz::drawn_systems(), system_) == 0)
      return Status(Code::usage, fmt::format("--random: no cases are drawn for system {}, expected one of {}", system_,
                                             fmt::join(fuzz::drawn_systems(), ", ")));
    return {};
  }

  std::unique_ptr<Runner> make_runner() const {
    if (options_.isolation == Isolation::none && options_.jobs == 1)
      return run_here(engine_, {.silence_seconds = options_.silence_seconds});
    return run_in_workers(engine_, {.command = options_.worker_command,
                                    .workers = options_.jobs,
                                    .judge_here = false,
                                    .fresh_for_each = options_.isolation == Isolation::per_case,
                                    .silence_seconds = options_.silence_seconds});
  }

  // The cases from `first` to before `last`, by all candidates, and what they say of them.
  Status play(int64_t first, int64_t last, Runner& runner) {
    std::vector<Job> jobs;
    std::vector<fuzz::Answers> drawn;
    for (int64_t number = first; number < last; ++number) {
      fuzz::Choices choices(fuzz::seed_of(options_.selection.seed, static_cast<uint64_t>(number)));
      RELOADLAB_ASSIGN(Case the_case, fuzz::generate(system_, choices));
      the_case.scenario = fmt::format("drawn-{}", number);
      for (const std::string& candidate : candidates_) jobs.push_back({.the_case = the_case, .candidate = candidate, .describe = true});
      drawn.push_back(choices.answers());
    }
    std::vector<std::optional<Answer>> answers(jobs.size());
    RELOADLAB_TRY(runner.run(
        jobs, [&](const Job& job) { return engine_.lacks(job.the_case); },
        [&](size_t index, Answer answer) {
          answers[index] = std::move(answer);
          return true;
        }));
    Differential differential;
    for (size_t at = 0; at < answers.size(); at += candidates_.size()) {
      const std::span<std::optional<Answer>> group(&answers[at], candidates_.size());
      keep_common_laws(group);
      for (std::optional<Answer>& answer : group)
        if (answer) differential.add(*std::exchange(answer, std::nullopt));
    }
    // An entry that fits none of these cases may fit what another seed draws.
    (void)mark_known(known_, texts_.known, differential.all());
    size_t pair = 0;
    for (const Differing& one : differential.all()) {
      const size_t place = pair++ / (candidates_.size() - 1);
      RELOADLAB_TRY(tell(one, jobs[place * candidates_.size()].the_case, drawn[place]));
    }
    return {};
  }

  // What cannot be judged of one of them, who reports nothing of that kind, is no difference in what they do.
  static void keep_common_laws(std::span<std::optional<Answer>> group) {
    std::set<std::string> unsupported;
    for (const std::optional<Answer>& answer : group)
      for (const LawResult& law : answer ? answer->result.laws : std::vector<LawResult>())
        if (law.state == State::unsupported) unsupported.insert(law.law);
    for (std::optional<Answer>& answer : group)
      if (answer) std::erase_if(answer->result.laws, [&](const LawResult& law) { return unsupported.contains(law.law); });
  }

  Status tell(const Differing& one, const Case& the_case, const fuzz::Answers& answers) {
    if (++counts_[std::string(word(one))]; word(one) == "the same") return {};
    bool shown = false;
    for (const std::string& kind : kinds_of(one)) shown |= ++kinds_[kind] <= kShownOfAKind;
    if (!shown) return {};
    const auto file = std::filesystem::path(texts_.out) / "differing" / (the_case.scenario + ".yaml");
    std::error_code error;
    std::filesystem::create_directories(file.parent_path(), error);
    RELOADLAB_TRY(write_file(file, emit(the_case)));
    fmt::print("{}  file       {}\n  again      {} replay {}\n", differing_text(one), file.string(), options_.program,
               fuzz::write_token({system_, one.candidate, the_case.world, answers}));
    std::fflush(stdout);
    return {};
  }

  static std::vector<std::string> kinds_of(const Differing& one) {
    if (!one.left_out.empty()) return {without_numbers(one.left_out)};
    std::vector<std::string> kinds;
    for (const Disagreement& row : one.rows)
      kinds.push_back(fmt::format("{}: {}{}", row.aspect, without_numbers(disagreement_text(row)), row.reason.empty() ? "" : "; known"));
    return kinds;
  }

  std::string counts_text() {
    return fmt::format("{} the same, {} differ as known, {} differ, {} not compared", grouped(counts_["the same"]),
                       grouped(counts_["known"]), grouped(counts_["differs"]), grouped(counts_["not compared"]));
  }

  const CandidatesTexts& texts_;
  const CampaignOptions& options_;
  const std::vector<KnownDifference>& known_;
  const Engine& engine_;
  std::string system_;
  std::vector<std::string> candidates_;
  std::map<std::string, int64_t> counts_, kinds_;
};

}  // namespace

Result<Exit> compare_random(const CandidatesTexts& texts, const CampaignOptions& options, const std::vector<KnownDifference>& known,
                            const Engine& engine) {
  return RandomCases(texts, options, known, engine).run();
}

}  // namespace reloadlab::sim
