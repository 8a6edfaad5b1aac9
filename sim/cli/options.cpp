#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "reference/base/nearest.h"
#include "reference/base/prng.h"
#include "reference/base/program.h"
#include "sim/campaign/expectation.h"
#include "sim/candidate/python.h"
#include "sim/cli/commands.h"

namespace reloadlab::sim {
namespace {

std::vector<std::string> with_words(std::vector<std::string> command, const std::vector<std::string>& words) {
  command.insert(command.end(), words.begin(), words.end());
  return command;
}

}  // namespace

Result<WorldKind> read_world(std::string_view option, const std::string& text) {
  if (const auto world = world_from_name(text)) return *world;
  const std::vector<std::string> names = world_names();
  return Status(Code::usage, fmt::format("{}: no world is called \"{}\", expected one of {}{}", option, text, fmt::join(names, ", "),
                                         did_you_mean(text, names)));
}

Result<WorldKind> read_device_world(const std::string& text) {
  RELOADLAB_ASSIGN(const WorldKind world, read_world("--on", text));
  if (world == WorldKind::sim || world == WorldKind::cuda) return world;
  return Status(Code::usage, fmt::format("--on: world {} has no devices, expected sim or cuda", text));
}

void add_cases(const Parser& command, SelectionTexts& texts) {
  command.add_option("paths", texts.paths, "Scenario files and folders").type_name("PATH").default_str("scenarios");
  command.add_option("--ranks", texts.ranks, "Cases with so many ranks only").range(1, 4096).type_name("N");
  command.add_option("--tag", texts.tags, "Scenarios with this tag only; may be given again").type_name("TAG").allow_extra_args(false);
  command.add_option("--name", texts.names, "Cases whose name or scenario matches; may be given again")
      .type_name("GLOB")
      .allow_extra_args(false);
  command
      .add_option(
          "--delays", texts.delays,
          "Cases on world cuda where order counts, and without delays of their own: streams lose time at places that this number draws")
      .type_name("SEED");
  command.add_option("--seed", texts.seed, "A number, or a commit of 40 hexadecimal digits").type_name("SEED");
}

void add_candidates(const Parser& command, SelectionTexts& texts) {
  command.add_option("--candidate", texts.candidates, "Implementation under test; may be given again. Default: the system's profiles")
      .type_name("NAME|FILE.so|python:MODULE:CLASS")
      .allow_extra_args(false);
}

void add_selection(const Parser& command, SelectionTexts& texts) {
  add_cases(command, texts);
  command.add_option("--world", texts.world, "Cases of this world only: cpu, meta, sim, cuda").type_name("WORLD");
  command
      .add_option("--on", texts.on,
                  "Cases of this world, and those of world cpu played on its devices: sim, cuda; on cuda those of sim as well")
      .type_name("WORLD");
}

Result<Selection> read_selection(const SelectionTexts& texts) {
  Selection selection{.paths = texts.paths, .candidates = texts.candidates, .tags = texts.tags, .names = texts.names, .laws = texts.laws};
  if (selection.paths.empty()) selection.paths = {"scenarios"};
  if (!texts.world.empty()) {
    RELOADLAB_ASSIGN(selection.world, read_world("--world", texts.world));
  }
  if (!texts.on.empty()) {
    RELOADLAB_ASSIGN(selection.on, read_device_world(texts.on));
  }
  if (texts.ranks > 0) selection.ranks = texts.ranks;
  if (!texts.seed.empty()) {
    RELOADLAB_ASSIGN(selection.seed, read_seed("--seed", texts.seed));
  }
  if (!texts.delays.empty()) {
    RELOADLAB_ASSIGN(selection.delays, read_seed("--delays", texts.delays));
  }
  return selection;
}

Result<double> read_duration(const std::string& text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}};
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  for (const auto& [name, seconds] : kUnits)
    if (error == std::errc() && number >= 0 && unit == name) return number * seconds;
  return Status(Code::usage, fmt::format("\"{}\" is no time: write 500ms, 30s, 2m or 1h", text));
}

Result<double> read_patience(const std::string& text) {
  constexpr double least = 0.1;
  RELOADLAB_ASSIGN(const double seconds, read_duration(text));
  if (seconds >= least) return seconds;
  return Status(Code::usage, fmt::format("--hang-after \"{}\" is shorter than a worker takes to start, expected 100ms or more", text));
}

Result<std::string> read_today(const std::string& text) {
  if (text.empty()) return fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr)));
  if (is_day(text)) return text;
  return Status(Code::usage, fmt::format("--today: \"{}\" is no day: write it as 2026-12-31", text));
}

Result<uint64_t> read_seed(std::string_view option, const std::string& text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  if (text.size() == 40 && text.find_first_not_of(kHex) == std::string::npos) return hash_name(text);
  uint64_t seed = 0;
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, seed);
  if (error == std::errc() && last == end) return seed;
  return Status(Code::usage, fmt::format("{}: \"{}\" is neither a number nor a commit of 40 hexadecimal digits", option, text));
}

std::vector<std::string> worker_words() { return with_words(this_program(), {"worker"}); }

std::vector<std::string> worker_command(const std::string& silence) {
  return with_words(this_program(), {"worker", "--hang-after", silence});
}

Result<std::vector<std::string>> worker_command(const std::string& silence, const std::vector<std::string>& candidates) {
  RELOADLAB_ASSIGN(std::vector<std::string> words, worker_words(candidates));
  return with_words(std::move(words), {"--hang-after", silence});
}

Result<std::vector<std::string>> worker_words(const std::vector<std::string>& candidates) {
  if (std::ranges::none_of(candidates, is_python)) return worker_words();
  RELOADLAB_ASSIGN(std::vector<std::string> python, python_command());
  return with_words(std::move(python), {"worker"});
}

Status host_candidates(const Program& program, const std::vector<std::string>& candidates) {
  if (hosts_python() || std::ranges::none_of(candidates, is_python)) return {};
  RELOADLAB_ASSIGN(std::vector<std::string> command, python_command());
  command = with_words(std::move(command), program.words);
  ::setenv("RELOADLAB_CALLED", program.name.c_str(), /*overwrite=*/1);
  std::vector<char*> words;
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  ::execv(words[0], words.data());
  return Status(Code::failed, fmt::format("{}: {}", command[0], std::strerror(errno)));
}

}  // namespace reloadlab::sim
