#pragma once
// Progress of long work: a bar that is redrawn on a terminal, a plain line now and then otherwise. It goes where people's output goes.
#include <chrono>
#include <cstdio>
#include <string>

namespace reloadlab::sim {

class Progress {
 public:
  Progress(std::FILE* out, int64_t total, bool terminal);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  // `done` of the total are done; `now` is what was finished last.
  void advance(int64_t done, const std::string& now);
  // Prints text above the bar.
  void print(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;
  void draw();
  void erase();
  std::FILE* out_;
  int64_t total_, done_ = 0;
  bool terminal_, drawn_ = false;
  std::string now_;
  Clock::time_point last_;
};

// "[=====>      ]  41 of 312  padded-vocab[ranks=2]"; at most `width` columns.
std::string progress_bar(int64_t done, int64_t total, const std::string& now, size_t width);

}  // namespace reloadlab::sim
