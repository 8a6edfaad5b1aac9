// A rank of a launch that is not the first: keeps a worker for it.
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "sim/campaign/beating.h"
#include "sim/campaign/launched.h"
#include "sim/campaign/remote_peer.h"
#include "sim/campaign/worker_process.h"

namespace reloadlab::sim {
namespace {

constexpr int poll_ms = 20;
constexpr size_t trail_told = size_t{1} << 20;  // bytes, and the newest ones

std::string end_of(const std::string& trail) {
  if (trail.size() <= trail_told) return trail;
  const size_t line = trail.find('\n', trail.size() - trail_told);
  return line == std::string::npos ? std::string() : trail.substr(line + 1);
}

class Keeper {
 public:
  Keeper(Board& board, const LaunchOptions& options)
      : board_(board),
        options_(options),
        beating_(board, options.launch.rank),
        campaign_(board, 0, options.peer_patience, options.come_within),
        down_(board, down_name(options.launch.rank)) {}

  // The exit code, or why it cannot go on.
  Result<int> keep() {
    RELOADLAB_TRY(
        board_.put(hello_name(options_.launch.rank), fmt::format("{} {} {}", options_.launch.ranks, options_.device, options_.lacks)));
    for (;;) {
      RELOADLAB_ASSIGN(const auto said, down_.take());
      if (said && said->starts_with('X')) return leave(*said);
      if (said) RELOADLAB_TRY(obey(*said));
      if (worker_) RELOADLAB_TRY(relay());
      if (!said) wait();
      if (const std::string why = campaign_.why_dead(); !why.empty()) return Status(Code::failed, "rank 0: " + why);
    }
  }

 private:
  int leave(std::string_view said) {
    int code = 0;
    std::from_chars(said.data() + 1, said.data() + said.size(), code);
    worker_.reset();
    (void)board_.put(bye_name(options_.launch.rank), "").ok();  // gone with rank 0, it needs no word
    return code;
  }

  Status obey(std::string_view said) {
    switch (said.empty() ? '?' : said[0]) {
      case 'N':
        return start();
      case 'B':
        if (worker_) worker_->send_bytes(said.substr(1));
        return {};
      case 'T':
        return worker_ ? up_->put('T', end_of(worker_->trail())) : Status();
      case 'K':
        worker_.reset();
        return {};
      default:
        return Status(Code::data, "rank 0: what it said is no message");
    }
  }

  Status start() {
    worker_.reset();
    up_.emplace(board_, up_name(options_.launch.rank, workers_++));
    std::vector<std::string> command = options_.command;
    command.insert(command.end(), {"--hang-after", fmt::format("{}s", options_.silence_seconds)});
    auto started = WorkerProcess::start(command, "");
    if (!started.ok()) return up_->put('G', started.status().message());
    worker_ = *std::move(started);
    return {};
  }

  Status relay() {
    worker_->pump();
    for (;;) {
      const auto frame = worker_->next();
      if (!frame.ok()) return tell_end(frame.status().message());
      if (!frame->has_value()) break;
      RELOADLAB_TRY(up_->put('B', frame_bytes((*frame)->kind, (*frame)->body)));
    }
    return worker_->gone() ? tell_end(worker_->end()) : Status();
  }

  Status tell_end(const std::string& how) {
    const std::string trail = end_of(worker_->trail());
    worker_.reset();
    return up_->put('G', how + "\n" + trail);
  }

  void wait() const {
    pollfd watched = worker_ ? worker_->watched() : pollfd{-1, 0, 0};
    ::poll(&watched, 1, poll_ms);
  }

  Board& board_;
  const LaunchOptions& options_;
  Beating beating_;
  Heartbeat campaign_;
  Channel down_;
  std::optional<Channel> up_;  // of the worker
  std::unique_ptr<WorkerProcess> worker_;
  int64_t workers_ = 0;
};

}  // namespace

int keep_worker(Board& board, const LaunchOptions& options) {
  const Result<int> code = Keeper(board, options).keep();
  if (code.ok()) return *code;
  fmt::print(stderr, "rank {} ends: {}\n", options.launch.rank, code.status().message());
  return static_cast<int>(Exit::failed);
}

}  // namespace reloadlab::sim
