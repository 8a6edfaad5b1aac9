#include "sim/cli/program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <set>
#include <system_error>

#include "reference/base/check.h"
#include "reference/base/nearest.h"
#include "sim/campaign/party.h"
#include "sim/cli/commands.h"

namespace reloadlab::sim {
namespace {

constexpr const char* kAbout =
    "reloadlab: is the model after a warm reload the model that a cold start would have given?\n"
    "Exit codes: 0 all held, 1 a law failed, 2 inconclusive, 3 flaky, 4 nothing ran, 5 unexpected pass, 6 hang,\n"
    "            64 wrong usage, 65 bad scenario, checkpoint or plug-in, 70 defect in reloadlab itself, or output that cannot be written";

int say(Exit code, const std::string& message) {
  fmt::print(stderr, "{}\n", message);
  return static_cast<int>(code);
}

// Options of which few go together stand in a group without a name of its own that is asked for.
std::vector<const CLI::App*> groups_of(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App* each) { return each->get_name().empty(); });
}

std::set<std::string> option_names(const CLI::App& app) {
  std::set<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.insert("--" + name);
  for (const CLI::App* group : groups_of(app)) names.merge(option_names(*group));
  return names;
}

// "--schedules and --timed exclude each other"; empty where no two such were given. The parser names the group, which nobody knows.
std::string excluding(const CLI::App& command) {
  for (const CLI::App* group : groups_of(command)) {
    std::vector<std::string> given;
    for (const CLI::Option* option : group->get_options())
      if (option->count() > 0) given.push_back(option->get_name());
    if (given.size() <= group->get_require_option_max() || given.size() < 2) continue;
    const std::string last = given.back();
    given.pop_back();
    std::set<std::string> names = option_names(*group);
    names.erase("--help");
    return fmt::format("{} and {} exclude each other: expected one of {}", fmt::join(given, ", "), last, fmt::join(names, ", "));
  }
  return {};
}

// The parser only says that something was not expected; people want to know what they may have meant.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& words) {
  const auto chosen = app.get_subcommands();
  const CLI::App& command = chosen.empty() ? app : *chosen.front();
  const std::set<std::string> options = option_names(command);
  for (const std::string& word : words) {
    const std::string name = word.substr(0, word.find('='));
    if (name.starts_with("--") && name != "--" && !options.contains(name))
      return fmt::format("unknown option \"{}\"{}", name, did_you_mean(name, options));
  }
  const std::string excluded = excluding(command);
  return excluded.empty() ? error.what() : excluded;
}

Status check_command(const CLI::App& app, const std::vector<std::string>& words) {
  std::set<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    if (!command->get_group().empty()) names.insert(command->get_name());
  const auto first = std::find_if(words.begin(), words.end(), [](const std::string& word) { return !word.starts_with("-"); });
  if (first == words.end() || names.contains(*first) || *first == "worker") return {};
  return Status(Code::usage, fmt::format("unknown command \"{}\"{}", *first, did_you_mean(*first, names)));
}

int dispatch(int argc, const char* const* argv, const Program& program) {
  CLI::App whole(kAbout, "reloadlab");
  const Parser app(whole);
  whole.set_version_flag("--version", "reloadlab " RELOADLAB_VERSION);
  whole.require_subcommand(1);
  const Command commands[] = {add_run(app, program),     add_list(app, program),    add_lint(app, program),    add_schema(app, program),
                              add_emit(app, program),    add_import(app, program),  add_show(app, program),    add_doctor(app, program),
                              add_mutants(app, program), add_fuzz(app, program),    add_promote(app, program), add_replay(app, program),
                              add_worst(app, program),   add_explore(app, program), add_compare(app, program), add_calibrate(app, program),
                              add_worker(app, program),  add_holder(app, program)};
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    whole.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    whole.exit(asked);
    return static_cast<int>(Exit::held);
  } catch (const CLI::ParseError& error) {
    const Status command = check_command(whole, words);
    return say(Exit::usage, fmt::format("reloadlab: {}\nreloadlab --help says what there is",
                                        command.ok() ? usage_message(whole, error, words) : command.message()));
  }
  for (const Command& command : commands) {
    if (!command.parser.parsed()) continue;
    const auto code = command.action();
    return code.ok() ? static_cast<int>(*code) : say(exit_of(code.status()), code.status().message());
  }
  return static_cast<int>(Exit::usage);
}

}  // namespace

Exit exit_of(const Status& failure) {
  if (failure.code() == Code::usage) return Exit::usage;
  return failure.code() == Code::data ? Exit::bad_scenario : Exit::defect;
}

namespace {

std::atomic<pid_t> at_work = 0;  // the process, for what it forks ends otherwise

// A candidate that is played in this process may end it, with the exit code 0 at that, and a gate would be open.
void end_as_broken() {
  if (at_work != ::getpid()) return;
  say(Exit::defect, "reloadlab: a candidate has ended this process by exit(): leave out --isolate=none, and its case is known");
  std::_Exit(static_cast<int>(Exit::defect));
}

class AtWork {
 public:
  // Whoever waits for a worker sees how that ends.
  explicit AtWork(bool for_others) {
    static const int registered = std::atexit(end_as_broken);
    if (registered == 0 && !for_others) at_work = ::getpid();
  }
  ~AtWork() { at_work = 0; }
};

// What was printed may still be on its way: a full disk shows here.
int with_all_printed(int code) {
  errno = 0;
  const bool printed = std::cout.flush() && std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  return printed ? code : say(Exit::defect, fmt::format("reloadlab: standard output: {}", std::strerror(errno != 0 ? errno : EIO)));
}

}  // namespace

int run_program(int argc, const char* const* argv, const Engine& engine) {
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  const AtWork here(!words.empty() && (words[0] == "worker" || words[0] == "holder"));
  try {
    const Engine whole = with_rank_processes(engine, worker_words());
    return with_all_printed(dispatch(argc, argv, {whole, argc > 0 ? argv[0] : "reloadlab", words}));
  } catch (const std::system_error& error) {  // as fmt says that it cannot print
    return say(Exit::defect, fmt::format("reloadlab: {}", error.what()));
  } catch (const std::exception& error) {
    return say(Exit::defect, fmt::format("reloadlab: a defect in reloadlab itself: {}", error.what()));
  }
}

}  // namespace reloadlab::sim
