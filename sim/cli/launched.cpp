// `run` where a launcher has started it once for each rank.
#include "sim/campaign/launched.h"

#include <fmt/format.h>
#include <unistd.h>

#include "sim/cli/commands.h"
#include "sim/world/gpus.h"

namespace reloadlab::sim {
namespace {

// The device of this process: the one of its number, or the only one that it is shown.
void choose_device(LaunchOptions& options) {
  const Gpus& there = gpus();
  const auto count = static_cast<int>(there.here.size());
  options.device = count == 1 ? 0 : options.launch.local;
  if (count == 0)
    options.lacks = fmt::format("no GPU here: {}", there.why_none);
  else if (options.device >= count)
    options.lacks = fmt::format("LOCAL_RANK is {}, and there are {} GPUs here", options.device, count);
}

// Rank 0.
Result<Exit> lead(Board& board, const LaunchOptions& mine, CampaignOptions options, const Program& program) {
  RELOADLAB_ASSIGN(const std::unique_ptr<Launched> launched, Launched::gather(board, mine));
  const Engine engine = launched->with_workers(program.engine);
  options.plays_elsewhere = true;
  const Result<RunResult> result = run_campaign(options, engine, {stderr, ::isatty(STDERR_FILENO) == 1});
  const Exit code = result.ok() ? exit_code(*result) : exit_of(result.status());
  engine.dismiss();
  launched->over(static_cast<int>(code));
  if (!result.ok()) return result.status();
  print_result(options, *result);
  return code;
}

}  // namespace

std::map<std::string, std::string> environment_of_this_process() {
  std::map<std::string, std::string> variables;
  for (char** each = environ; *each; ++each)
    if (const std::string_view text = *each; text.find('=') != std::string_view::npos)
      variables.emplace(text.substr(0, text.find('=')), text.substr(text.find('=') + 1));
  return variables;
}

Result<std::optional<Launch>> launch_of_this_process() { return read_launch(environment_of_this_process()); }

Result<Exit> run_launched(const Launch& launch, CampaignOptions options, const Program& program) {
  if (options.jobs > 1 || options.isolation != Isolation::none)
    return Status(Code::usage, "--jobs and --isolate: ranks that a launcher starts play one case at a time, in workers as it is");
  LaunchOptions mine{.launch = launch, .command = worker_words(), .silence_seconds = options.silence_seconds};
  choose_device(mine);
  Result<std::unique_ptr<Board>> board = open_board(launch, mine.come_within);
  if (!board.ok()) return Status(Code::usage, "MASTER_ADDR and MASTER_PORT: " + board.status().message());
  if (launch.rank > 0) return static_cast<Exit>(keep_worker(**board, mine));
  return lead(**board, mine, std::move(options), program);
}

}  // namespace reloadlab::sim
