#include "sim/fuzz/stored.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/campaign/attempt.h"
#include "sim/report/verdict_text.h"

namespace reloadlab::sim::fuzz {
namespace {

class Playing {
 public:
  Playing(const Store& store, const std::string& candidate, const Engine& engine) : store_(store), candidate_(candidate), engine_(engine) {}

  Result<Stored> play() {
    for (const Shelf shelf : {Shelf::failing, Shelf::regression}) {
      RELOADLAB_ASSIGN(const std::vector<Kept> all, store_.entries(shelf));
      for (const Kept& kept : all)
        if (shelf == Shelf::failing && kept.entry.candidate == candidate_) known_.insert(kept.entry.cause);
      for (const Kept& kept : all)
        if (kept.entry.candidate == candidate_) RELOADLAB_TRY(play(shelf, kept));
    }
    return std::move(stored_);
  }

 private:
  Status play(Shelf shelf, const Kept& kept) {
    RELOADLAB_ASSIGN(const Case the_case, case_of(kept.entry, kept.file.string()));
    const Observation seen = observe(the_case, candidate_, engine_, kept.entry.cause.law == kSameAgain);
    if (seen.end == End::defect || seen.end == End::bad_data)
      return Status(Code::failed, fmt::format("{}: {}", kept.file.string(), seen.reason));
    if (seen.end == End::skipped) return {};
    ++stored_.played;
    stored_.hanging += seen.hangs;
    if (shelf == Shelf::failing && seen.shows(kept.entry.cause)) stored_.failing.push_back(kept);
    if (shelf == Shelf::failing && seen.failed.empty()) stored_.mended.push_back(kept);
    for (const Cause& cause : seen.causes)
      if (shelf == Shelf::regression || known_.insert(cause).second) RELOADLAB_TRY(relapse(shelf, kept, cause, the_case, seen));
    return {};
  }

  // It fails where it did not, or otherwise than it did.
  Status relapse(Shelf shelf, const Kept& kept, const Cause& cause, const Case& the_case, const Observation& seen) {
    Kept again = kept;
    again.entry.cause = cause;
    if (cause != kept.entry.cause) again.entry.seen = 0, set_scenario(again.entry, the_case);
    const auto law = std::ranges::find(seen.failed, cause.law, &LawResult::law);
    if (law != seen.failed.end()) again.entry.finding = law->finding ? finding_text(*law) : law->reason + "\n";
    if (shelf == Shelf::regression) {
      RELOADLAB_ASSIGN(again.file, store_.take_back(again, stored_.mended_texts()));
      stored_.relapsed.push_back(std::move(again));
    } else {
      RELOADLAB_ASSIGN(again.file, store_.keep(again.entry));
      stored_.failing.push_back(std::move(again));
    }
    return {};
  }

  const Store& store_;
  const std::string& candidate_;
  const Engine& engine_;
  std::set<Cause> known_;  // that have an entry in failing/
  Stored stored_;
};

}  // namespace

std::set<Cause> Stored::causes() const {
  std::set<Cause> all;
  for (const Kept& kept : failing) all.insert(kept.entry.cause);
  for (const Kept& kept : relapsed) all.insert(kept.entry.cause);
  return all;
}

void Stored::tell(HuntOptions& options) const {
  options.known = causes();
  for (const Kept& kept : failing) {
    const Entry& entry = kept.entry;
    const Result<Token> token = read_token(entry.token);
    if (entry.smallest || options.shrink_tries == 0 || options.on || !token.ok()) continue;
    options.known.erase(entry.cause);
    options.unfinished[entry.cause] = token->answers;
  }
}

std::set<std::string> Stored::mended_texts() const {
  std::set<std::string> all;
  for (const Kept& kept : mended) all.insert(kept.entry.scenario);
  return all;
}

Result<Stored> play_stored(const Store& store, const std::string& candidate, const Engine& engine) {
  return Playing(store, candidate, engine).play();
}

}  // namespace reloadlab::sim::fuzz
