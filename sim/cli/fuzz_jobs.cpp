// fuzz --jobs: the campaign as several processes, each with a part of the cases. A candidate that brings its process down costs that part.
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "sim/cli/commands.h"
#include "sim/cli/fuzz.h"
#include "sim/world/holder.h"

namespace reloadlab::sim {
namespace {

struct Part {
  pid_t process = 0;
  std::string shard;
  std::filesystem::path summary;
};

std::vector<std::string> words_of(const FuzzTexts& texts, const fuzz::HuntOptions& options, const Part& part) {
  std::vector<std::string> words = this_program();
  const auto add = [&](const char* name, std::string value) { words.insert(words.end(), {name, std::move(value)}); };
  words.emplace_back("fuzz");
  add("--system", options.system), add("--candidate", options.candidate), add("--seed", fmt::format("{}", options.seed));
  if (options.cases) add("--cases", fmt::format("{}", *options.cases));
  if (options.seconds) add("--for", fmt::format("{}s", *options.seconds));
  add("--shrink-tries", fmt::format("{}", options.shrink_tries)), add("--store", texts.store), add("--shard", part.shard);
  add("--summary", part.summary.string());
  if (!options.control.empty()) add("--control", options.control);
  if (options.fail_fast) words.emplace_back("--fail-fast");
  words.emplace_back("--part");
  return words;
}

Status start(const std::vector<std::string>& words, Part& part) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int error = ::posix_spawn(&part.process, arguments[0], nullptr, nullptr, arguments.data(), environ);
  return error == 0 ? Status() : Status(Code::failed, fmt::format("{}: {}", words[0], std::strerror(error)));
}

// What the part came to; a process that died says so in its place.
Result<fuzz::Summary> end_of(const Part& part) {
  int status = 0;
  if (::waitpid(part.process, &status, 0) != part.process) return Status(Code::failed, "a process of the campaign is gone");
  std::ifstream in(part.summary, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  if (!WIFSIGNALED(status) && !text.empty()) return fuzz::summary_from(text);
  const std::string how = WIFSIGNALED(status) ? fmt::format("signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)))
                                              : fmt::format("exit code {}", WEXITSTATUS(status));
  fmt::print(stderr, "FAIL  {}: the process that played shard {} ended with {}; its cases are not counted\n", kSurvives, part.shard, how);
  fuzz::Summary lost;
  lost.causes[{std::string(kSurvives), how, "", ""}] = {1, ""};
  return lost;
}

}  // namespace

Result<fuzz::Summary> fuzz_in_processes(const FuzzTexts& texts, const fuzz::HuntOptions& options) {
  const Shard whole = options.shard.value_or(Shard{.index = 0, .count = 1, .said_by = ""});
  std::vector<Part> parts(static_cast<size_t>(texts.jobs));
  for (int job = 0; job < texts.jobs; ++job) {
    Part& part = parts[static_cast<size_t>(job)];
    part.shard = fmt::format("{}/{}", whole.index + whole.count * job + 1, whole.count * texts.jobs);
    part.summary = std::filesystem::temp_directory_path() / fmt::format("reloadlab-fuzz-{}-{}.json", ::getpid(), job);
    RELOADLAB_TRY(start(words_of(texts, options, part), part));
  }
  fuzz::Summary all;
  for (const Part& part : parts) {
    auto summary = end_of(part);
    std::error_code ignored;
    std::filesystem::remove(part.summary, ignored);
    if (!summary.ok()) return summary.status();
    all.add(*summary);
  }
  return all;
}

}  // namespace reloadlab::sim
