// fuzz --part: one process of a campaign. Which case it plays is written down before it is played, so that whoever started it knows what it
// died of; what it finds and what it came to goes over its socket.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "sim/campaign/frame.h"
#include "sim/campaign/worker.h"
#include "sim/cli/fuzz.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

class OnePart {
 public:
  // The number of the case that is drawn, and the case that is played for it: that one, or one that may become it.
  void begins(uint64_t index) { index_ = index, drawn_ = true; }
  Engine noting(Engine engine) {
    engine.replay = [this, inner = std::move(engine.replay)](const Case& the_case, const std::string& candidate, EngineOptions asked) {
      note(the_case);
      asked.on_wait = [] { send_frame(kWorkerSocket, FrameKind::waiting, ""); };
      return inner(the_case, candidate, asked);
    };
    return engine;
  }
  // What came to what was told before, after each case: what is told is not lost with this process.
  void sum_up(const fuzz::Progressed& now, const std::map<fuzz::Cause, fuzz::Found>& found) {
    fuzz::Summary more{.cases = now.cases - told_.cases,
                       .judged = now.judged - told_.judged,
                       .failing = now.failing - told_.failing,
                       .skipped = now.skipped - told_.skipped,
                       .hanging = now.hanging - told_.hanging,
                       .inconclusive = now.inconclusive - told_.inconclusive,
                       .why_skipped = now.why_skipped,
                       .seconds = now.seconds};
    told_.cases = now.cases, told_.judged = now.judged, told_.failing = now.failing, told_.inconclusive = now.inconclusive;
    told_.skipped = now.skipped, told_.hanging = now.hanging;
    add_new(now.shapes, told_.shapes, more.shapes);
    add_new(now.probes, told_.probes, more.probes);
    for (const auto& [cause, seen] : summary_of({}, found).causes) {
      fuzz::Summary::Seen& told = told_causes_[cause];
      if (told != seen) more.causes[cause] = {seen.count - told.count, seen.token};
      told = seen;
    }
    tell(more);
  }
  static void tell(const fuzz::Summary& summary) { send_frame(kWorkerSocket, FrameKind::summary, to_json(summary).dump()); }
  // Now and then, so that a case which does not end is known by the silence.
  bool is_time() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return false;
    next_ = now + std::chrono::seconds(1);
    return true;
  }

 private:
  template <class Set>
  static void add_new(const Set& now, Set& told, Set& more) {
    if (now.size() == told.size()) return;
    for (const auto& one : now)
      if (told.insert(one).second) more.insert(one);
  }

  void note(const Case& the_case) {
    if (drawn_) {
      const std::string text = fmt::format("{}\n{}", index_, emit(the_case));
      const auto size = static_cast<off_t>(text.size());
      if (::pwrite(kWorkerTrail, text.data(), text.size(), 0) != size || ::ftruncate(kWorkerTrail, size) != 0) drawn_ = false;
    }
    if (is_time()) send_frame(kWorkerSocket, FrameKind::step, "");
  }

  fuzz::Progressed told_;
  std::map<fuzz::Cause, fuzz::Summary::Seen> told_causes_;
  uint64_t index_ = 0;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point next_{};
};

Status take_order(fuzz::HuntOptions& options, FuzzKeeping& keeping) {
  const auto frame = receive_frame(kWorkerSocket);
  const auto order = nlohmann::json::parse(frame && frame->kind == FrameKind::job ? frame->body : "", nullptr, false);
  if (!order.is_object()) return Status(Code::failed, "a part of a campaign was given no order");
  for (const auto& one : order["known"]) options.known.insert({one[0], one[1], one[2], one[3]});
  for (const auto& one : order["unfinished"]) options.unfinished[{one[0], one[1], one[2], one[3]}] = one[4].get<fuzz::Answers>();
  keeping.set_mended(order["mended"].get<std::set<std::string>>());
  if (!order["canary"].get<bool>()) options.canary.clear(), options.goes_on = false;
  return {};
}

}  // namespace

std::string part_order(const std::set<fuzz::Cause>& known, const std::map<fuzz::Cause, fuzz::Answers>& unfinished,
                       const std::set<std::string>& mended, bool canary) {
  auto causes = nlohmann::json::array(), large = nlohmann::json::array();
  for (const fuzz::Cause& cause : known) causes.push_back({cause.law, cause.execution, cause.step, cause.tensor});
  for (const auto& [cause, answers] : unfinished) large.push_back({cause.law, cause.execution, cause.step, cause.tensor, answers});
  return nlohmann::json{{"known", causes}, {"unfinished", large}, {"mended", mended}, {"canary", canary}}.dump();
}

Result<Exit> fuzz_part(const FuzzTexts& texts, fuzz::HuntOptions options, const Program& program) {
  if (!is_tied_to_campaign(kWorkerSocket)) return Exit::defect;
  for (const int file : {kWorkerSocket, kWorkerTrail}) ::fcntl(file, F_SETFD, FD_CLOEXEC);
  FuzzKeeping keeping(texts.store, [](const fuzz::Cause& cause, const std::string& block, const std::string& token) {
    send_frame(kWorkerSocket, FrameKind::found, nlohmann::json{{"cause", fuzz::text(cause)}, {"block", block}, {"token", token}}.dump());
  });
  RELOADLAB_TRY(take_order(options, keeping));
  OnePart part;
  const Engine engine = part.noting(program.engine);
  fuzz::Told told = told_to(keeping, options.candidate, [](const fuzz::Progressed&, size_t) {});
  told.begins = [&part](uint64_t index) { part.begins(index); };
  told.progress = [&part, count = told.progress](const fuzz::Progressed& now, const auto& found) {
    part.sum_up(now, found);
    return count(now, found);
  };
  RELOADLAB_ASSIGN(const fuzz::Hunted hunted, fuzz::hunt(options, engine, told));
  RELOADLAB_TRY(keeping.count(options.candidate, hunted.found, 0, true));
  part.sum_up(hunted.progress, hunted.found);
  if (!hunted.defect.empty()) OnePart::tell({.defect = hunted.defect});
  send_frame(kWorkerSocket, FrameKind::ready, "");
  return Exit::held;
}

}  // namespace reloadlab::sim
