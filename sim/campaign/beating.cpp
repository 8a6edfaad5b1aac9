#include "sim/campaign/beating.h"

namespace reloadlab::sim {
namespace {

constexpr auto between_beats = std::chrono::milliseconds(250);

}  // namespace

Beating::Beating(Board& board, int rank) : thread_([this, &board, rank] { beat(board, rank); }) {}

Beating::~Beating() {
  over_ = true;
  thread_.join();
}

void Beating::beat(Board& board, int rank) const {
  for (int64_t count = 0; !over_; ++count) {
    if (!board.put(beat_name(rank), std::to_string(count)).ok()) return;
    std::this_thread::sleep_for(between_beats);
  }
}

}  // namespace reloadlab::sim
