#include "sim/campaign/remote_peer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "sim/campaign/beating.h"

namespace reloadlab::sim {
namespace {

constexpr double seconds_between_looks = 0.5;
constexpr int trail_ms = 2000;

class RemotePeer final : public Peer {
 public:
  explicit RemotePeer(RemoteRank& rank) : rank_(rank), up_(rank.board, up_name(rank.rank, rank.workers++)) { say('N', {}); }
  ~RemotePeer() override { say('K', {}); }

  pollfd watched() const override { return {-1, 0, 0}; }
  void send(FrameKind kind, std::string_view body) override {
    say('B', frame_bytes(kind, body));
    heard_ = Clock::now();
  }

  void pump() override {
    while (!gone_) {
      auto value = up_.take();
      if (!value.ok()) return lose("the store of the launch is gone: " + value.status().message());
      if (!value->has_value()) break;
      heard_ = Clock::now();
      take(**value);
    }
    if (const std::string why = gone_ ? "" : rank_.heartbeat.why_dead(); !why.empty()) lose(why);
  }

  Result<std::optional<Frame>> next() override { return frames_.next(); }
  bool gone() const override { return gone_; }
  double silent_seconds() const override { return std::chrono::duration<double>(Clock::now() - heard_).count(); }

  std::string end() override {
    if (gone_) return how_;
    say('K', {});
    return "was ended";
  }

  std::string trail() override {
    if (!gone_) say('T', {});
    for (int waited = 0; !gone_ && !trail_ && waited < trail_ms; waited += 10) {
      pump();
      ::usleep(10'000);
    }
    return trail_.value_or("");
  }

 private:
  using Clock = std::chrono::steady_clock;

  void say(char kind, std::string_view bytes) {
    if (const Status status = rank_.down.put(kind, bytes); !status.ok()) lose(status.message());
  }

  void take(std::string_view value) {
    const std::string_view bytes = value.substr(std::min<size_t>(1, value.size()));
    switch (value.empty() ? '?' : value[0]) {
      case 'B':
        return frames_.feed(bytes);
      case 'T':
        trail_ = bytes;
        return;
      case 'G': {
        const size_t end = std::min(bytes.find('\n'), bytes.size());
        trail_ = bytes.substr(std::min(end + 1, bytes.size()));
        return lose(std::string(bytes.substr(0, end)));
      }
      default:
        return lose("what its process said is no message");
    }
  }

  void lose(const std::string& how) {
    if (!gone_) how_ = how;
    gone_ = true;
  }

  RemoteRank& rank_;
  Channel up_;
  FrameReader frames_;
  Clock::time_point heard_ = Clock::now();
  std::optional<std::string> trail_;
  std::string how_;
  bool gone_ = false;
};

}  // namespace

Heartbeat::Heartbeat(Board& board, int rank, double patience, double come_within)
    : board_(board), rank_(rank), patience_(patience), come_within_(come_within) {}

std::string Heartbeat::why_dead() {
  const auto now = Clock::now();
  if (std::chrono::duration<double>(now - asked_).count() < seconds_between_looks) return {};
  asked_ = now;
  const auto beat = board_.look(beat_name(rank_));
  if (!beat.ok()) return "the store of the launch is gone: " + beat.status().message();
  if (beat->has_value() && **beat != last_) last_ = **beat, changed_ = now;
  const double patience = last_.empty() ? come_within_ : patience_;
  if (std::chrono::duration<double>(now - changed_).count() < patience) return {};
  return fmt::format("nothing was heard of its process for {} s", patience);
}

Status Channel::put(char kind, std::string_view bytes) {
  do {
    const std::string_view piece = bytes.substr(0, board_value_limit - 1);
    bytes.remove_prefix(piece.size());
    RELOADLAB_TRY(board_.put(fmt::format("{} {}", name_, next_++), fmt::format("{}{}", kind, piece)));
  } while (!bytes.empty());
  return {};
}

Result<std::optional<std::string>> Channel::take() {
  RELOADLAB_ASSIGN(std::optional<std::string> value, board_.take(fmt::format("{} {}", name_, next_)));
  if (value) ++next_;
  return value;
}

std::unique_ptr<Peer> start_remote(RemoteRank& rank) { return std::make_unique<RemotePeer>(rank); }

}  // namespace reloadlab::sim
