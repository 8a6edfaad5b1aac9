#include "sim/campaign/launched.h"

#include <fmt/format.h>

#include <deque>
#include <sstream>
#include <thread>
#include <utility>

#include "sim/campaign/beating.h"
#include "sim/campaign/party.h"
#include "sim/campaign/remote_peer.h"

namespace reloadlab::sim {
namespace {

using namespace std::chrono_literals;

constexpr auto between_looks = 20ms;
constexpr auto patience_at_the_end = 5s;

}  // namespace

// What rank 0 knows of the launch.
class Launched::All {
 public:
  All(Board& board, LaunchOptions options) : board_(board), options_(std::move(options)), beating_(board, 0) {
    seats_.push_back({.device = options_.device});
    lacks_ = options_.lacks;
    for (int rank = 1; rank < options_.launch.ranks; ++rank) others_.emplace_back(board, rank, options_.peer_patience);
  }

  Status wait_for_all() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(options_.come_within);
    for (RemoteRank& other : others_)
      for (;;) {
        RELOADLAB_ASSIGN(const auto hello, board_.look(hello_name(other.rank)));
        if (hello) {
          RELOADLAB_TRY(greet(other.rank, *hello));
          break;
        }
        if (std::chrono::steady_clock::now() > end)
          return Status(Code::usage,
                        fmt::format("rank {} of {} did not come within {} s", other.rank, options_.launch.ranks, options_.come_within));
        std::this_thread::sleep_for(between_looks);
      }
    return {};
  }

  Result<std::unique_ptr<Peer>> start(int rank, const EngineOptions& engine) {
    if (rank == 0) return start_worker(options_.command, engine);
    return start_remote(others_[static_cast<size_t>(rank - 1)]);
  }

  Seat seat(int rank) const {
    Seat seat = seats_[static_cast<size_t>(rank)];
    seat.host = options_.launch.host;
    return seat;
  }

  // Why the case cannot be played by all of them; empty where it can.
  std::string lacks(const Case& the_case) const {
    const int started = options_.launch.ranks;
    if (the_case.ranks == started) return lacks_;
    return fmt::format("its {} ranks talk, each in a process of its own, and {} were started (WORLD_SIZE)", the_case.ranks, started);
  }

  void over(int exit_code) {
    if (std::exchange(over_, true)) return;
    for (RemoteRank& other : others_) (void)other.down.put('X', fmt::to_string(exit_code)).ok();
    const auto end = std::chrono::steady_clock::now() + patience_at_the_end;
    for (RemoteRank& other : others_)
      while (std::chrono::steady_clock::now() < end && !has_left(other)) std::this_thread::sleep_for(between_looks);
  }

 private:
  // "2 3 ": of two ranks, on device 3; "2 3 …": on none, and why.
  Status greet(int rank, const std::string& hello) {
    int ranks = 0, device = 0;
    std::istringstream words(hello);
    words >> ranks >> device;
    if (ranks != options_.launch.ranks)
      return Status(Code::usage, fmt::format("WORLD_SIZE is {} for rank 0, and {} for rank {}", options_.launch.ranks, ranks, rank));
    seats_.push_back({.device = device});
    std::string why;
    std::getline(words >> std::ws, why);
    if (lacks_.empty() && !why.empty()) lacks_ = fmt::format("rank {}: {}", rank, why);
    return {};
  }

  bool has_left(RemoteRank& other) const {
    const auto bye = board_.look(bye_name(other.rank));
    return !bye.ok() || bye->has_value() || !other.heartbeat.why_dead().empty();
  }

  Board& board_;
  const LaunchOptions options_;
  std::vector<Seat> seats_;
  std::string lacks_;
  std::deque<RemoteRank> others_;
  Beating beating_;
  bool over_ = false;
};

Result<std::unique_ptr<Launched>> Launched::gather(Board& board, LaunchOptions options) {
  std::unique_ptr<Launched> launched(new Launched(std::make_shared<All>(board, std::move(options))));
  if (Status together = launched->all_->wait_for_all(); !together.ok()) {
    launched->over(static_cast<int>(Exit::usage));
    return together;
  }
  return launched;
}

// What nobody has ended ends badly.
Launched::~Launched() { over(static_cast<int>(Exit::defect)); }

void Launched::over(int exit_code) { all_->over(exit_code); }

Engine Launched::with_workers(Engine engine) const {
  const Party::Home home{.start = [all = all_](int rank, const EngineOptions& asked) { return all->start(rank, asked); },
                         .seat = [all = all_](int rank) { return all->seat(rank); },
                         .meet = engine.meet};
  auto together = std::make_shared<Party>(home), alone = std::make_shared<Party>(home);
  engine.replay = [together, alone](const Case& the_case, const std::string& candidate, const EngineOptions& asked) -> Result<Evidence> {
    const Job job{.the_case = the_case, .candidate = candidate, .prove_determinism = asked.prove_determinism};
    return needs_rank_processes(the_case) ? together->play(job, asked) : alone->play_alone(job, asked);
  };
  engine.lacks = [all = all_, lacks = std::move(engine.lacks)](const Case& the_case) {
    if (!needs_rank_processes(the_case)) return lacks(the_case);
    if (std::string why = all->lacks(the_case); !why.empty()) return why;
    Case on_each = the_case;  // what a device must have, of this one's: each rank has its own, and this host need not have all of them
    on_each.ranks = 1;
    return lacks(on_each);
  };
  engine.dismiss = [together, alone] {
    together->leave();
    alone->leave();
  };
  return engine;
}

}  // namespace reloadlab::sim
