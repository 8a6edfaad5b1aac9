// What fuzz keeps and tells.
#include <fmt/format.h>

#include <sstream>

#include "sim/campaign/party.h"
#include "sim/cli/fuzz.h"
#include "sim/fuzz/test_body.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

std::string indented(const std::string& text, std::string_view by) {
  std::string all;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) all += line.empty() ? "\n" : fmt::format("{}{}\n", by, line);
  return all;
}

// What it is, the file, the scenario and a test.
std::string block_of(const fuzz::Found& found, const fuzz::Entry& entry, const std::filesystem::path& file) {
  return fmt::format("FAIL  {}   case {}, {}\n{}  file   {}{}\n{}\n{}\n", fuzz::text(found.cause), found.first, seconds_text(found.seconds),
                     indented(entry.finding, "  "), file.string(),
                     found.smallest ? "" : "   (may still shrink: the tries of --shrink-tries or the time were used up)",
                     indented(entry.scenario, "    "), indented(fuzz::test_body(entry), "    "));
}

}  // namespace

Status FuzzKeeping::keep(const fuzz::Found& found) {
  counted_[found.cause] += found.count;
  return store_.keep(fuzz::entry_of(found), mended_).status();
}

Status FuzzKeeping::keep_smaller(const fuzz::Found& found) {
  fuzz::Entry entry = fuzz::entry_of(found);
  entry.seen = 0;
  RELOADLAB_ASSIGN(const auto file, store_.keep(entry, mended_));
  tell_(found.cause, block_of(found, entry, file), entry.token.empty() ? file.string() : entry.token);
  return {};
}

Status FuzzKeeping::count(const std::string& candidate, const std::map<fuzz::Cause, fuzz::Found>& found, double seconds, bool end) {
  if (seconds < next_ && !end) return {};
  next_ = seconds + 1;
  for (const auto& [cause, one] : found) {
    int64_t& counted = counted_[cause];
    if (one.count == counted) continue;
    RELOADLAB_TRY(store_.count({.candidate = candidate, .cause = cause}, one.count - counted));
    counted = one.count;
  }
  return {};
}

fuzz::Told told_to(FuzzKeeping& keeping, const std::string& candidate,
                   std::function<void(const fuzz::Progressed&, size_t causes)> progress) {
  fuzz::Told told;
  told.progress = [&keeping, candidate, progress = std::move(progress)](const fuzz::Progressed& now, const auto& found) {
    progress(now, found.size());
    return keeping.count(candidate, found, now.seconds);
  };
  told.met = [&keeping](const fuzz::Found& found) { return keeping.keep(found); };
  told.found = [&keeping](const fuzz::Found& found) { return keeping.keep_smaller(found); };
  told.news = [&keeping](const std::string& probe, const Case& the_case) { return keeping.note(probe, the_case); };
  return told;
}

Result<Engine> engine_apart(const Program& program, const std::string& candidate) {
  RELOADLAB_ASSIGN(std::vector<std::string> words, worker_words({candidate}));
  return with_worker_process(program.engine, std::move(words));
}

Result<fuzz::Stored> play_stored(const FuzzTexts& texts, const std::string& candidate, const Program& program) {
  RELOADLAB_ASSIGN(const Engine apart, engine_apart(program, candidate));
  RELOADLAB_ASSIGN(const fuzz::Stored stored, fuzz::play_stored(fuzz::Store(texts.store), candidate, apart));
  for (const fuzz::Kept& kept : stored.failing) fmt::print(stderr, "still  {}   {}\n", fuzz::text(kept.entry.cause), kept.file.string());
  for (const fuzz::Kept& kept : stored.mended)
    fmt::print(stderr, "mended {}   reloadlab promote {}\n", fuzz::text(kept.entry.cause), shell_word(kept.file.string()));
  for (const fuzz::Kept& kept : stored.relapsed)
    fmt::print(stderr, "FAIL  {}   a regression: it was mended, and fails again\n{}  file   {}\n", fuzz::text(kept.entry.cause),
               indented(kept.entry.finding, "  "), kept.file.string());
  return stored;
}

}  // namespace reloadlab::sim
