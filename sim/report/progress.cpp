#include "sim/report/progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {
constexpr size_t kWidth = 100;
constexpr size_t kBar = 30;
constexpr auto kRedrawEvery = std::chrono::milliseconds(100);
constexpr auto kLineEvery = std::chrono::seconds(10);
}  // namespace

std::string progress_bar(int64_t done, int64_t total, const std::string& now, size_t width) {
  const size_t full = total > 0 ? kBar * static_cast<size_t>(std::min(done, total)) / static_cast<size_t>(total) : kBar;
  std::string bar = std::string(full, '=');
  if (full < kBar) bar += '>';
  std::string text = fmt::format("[{}] {} of {}  {}", padded(bar, kBar), grouped(done), grouped(total), now);
  while (columns(text) > width) text.pop_back();
  return text;
}

Progress::Progress(std::FILE* out, int64_t total, bool terminal) : out_(out), total_(total), terminal_(terminal), last_(Clock::now()) {}
Progress::~Progress() { erase(); }

void Progress::advance(int64_t done, const std::string& now) {
  done_ = done;
  now_ = now;
  const auto time = Clock::now();
  if (terminal_ && (time - last_ >= kRedrawEvery || !drawn_)) {
    last_ = time;
    draw();
  } else if (!terminal_ && time - last_ >= kLineEvery) {
    last_ = time;
    fmt::print(out_, "{} of {} done, last {}\n", grouped(done_), grouped(total_), now_);
    std::fflush(out_);
  }
}

void Progress::print(const std::string& text) {
  erase();
  fmt::print(out_, "{}", text);
  std::fflush(out_);
}

void Progress::draw() {
  fmt::print(out_, "\r\x1b[K{}", progress_bar(done_, total_, now_, kWidth));
  std::fflush(out_);
  drawn_ = true;
}

void Progress::erase() {
  if (!drawn_) return;
  fmt::print(out_, "\r\x1b[K");
  std::fflush(out_);
  drawn_ = false;
}

}  // namespace reloadlab::sim
