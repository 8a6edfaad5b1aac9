#pragma once
// What `fuzz` was asked for, for its parts.
#include <string>

#include "sim/cli/commands.h"
#include "sim/fuzz/stored.h"
#include "sim/fuzz/summary.h"

namespace reloadlab::sim {

struct FuzzTexts {
  fuzz::HuntOptions options;
  std::string seed, on, seconds, shard, summary, store = "out/fuzz";
  int64_t cases = 0;
  int jobs = 1;
  std::vector<std::string> merged;  // summaries
  bool gates = false;               // probes do
  bool part = false;                // of a campaign of several processes, which tells what all came to
};

// What becomes of what a campaign finds: it is kept at once, and told when it is small.
class FuzzKeeping {
 public:
  // `block`: for people; `token`: all of it in a word, or the file.
  using Tell = std::function<void(const fuzz::Cause& cause, const std::string& block, const std::string& token)>;
  FuzzKeeping(const std::string& store, Tell tell) : store_(store), tell_(std::move(tell)) {}

  // Of these scenarios of the store it is known that they keep every law.
  void set_mended(std::set<std::string> texts) { mended_ = std::move(texts); }
  Status keep(const fuzz::Found& found);          // counted as often as it was seen
  Status keep_smaller(const fuzz::Found& found);  // of what was kept before; and tells it
  Status note(const std::string& probe, const Case& the_case) { return store_.note(probe, the_case); }
  // How many cases showed each, as far as the store does not have them. Once a second, and at the end.
  Status count(const std::string& candidate, const std::map<fuzz::Cause, fuzz::Found>& found, double seconds, bool end = false);

  const fuzz::Store& store() const { return store_; }

 private:
  fuzz::Store store_;
  Tell tell_;
  std::set<std::string> mended_;
  std::map<fuzz::Cause, int64_t> counted_;
  double next_ = 1;
};

// What hunting tells, into the store.
fuzz::Told told_to(FuzzKeeping& keeping, const std::string& candidate,
                   std::function<void(const fuzz::Progressed&, size_t causes)> progress);

// What the store has of the candidate, played by workers; and a line for each that is not as it was.
Result<fuzz::Stored> play_stored(const FuzzTexts& texts, const std::string& candidate, const Program& program);
// An engine whose candidates may crash.
Result<Engine> engine_apart(const Program& program, const std::string& candidate);

// The campaign as texts.jobs processes, each told to be a part.
Result<fuzz::Summary> fuzz_in_processes(const FuzzTexts& texts, const fuzz::HuntOptions& options, const Program& program,
                                        const fuzz::Stored& stored, const FuzzKeeping::Tell& tell);
// One of them.
Result<Exit> fuzz_part(const FuzzTexts& texts, fuzz::HuntOptions options, const Program& program);
// What a part is told before it begins: which causes the store has, which of them are not small yet, which of its scenarios were mended,
// and whether it looks for the canary, and goes on with what is not small yet.
std::string part_order(const std::set<fuzz::Cause>& known, const std::map<fuzz::Cause, fuzz::Answers>& unfinished,
                       const std::set<std::string>& mended, bool canary);

}  // namespace reloadlab::sim
