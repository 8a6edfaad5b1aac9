// Workers side by side: each serves one job at a time; one that dies, talks nonsense or falls silent costs its job and is replaced.
// Ranks that meet on real devices wait there for each other, and keep those of another job from it: the first worker has all such jobs.
#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "sim/campaign/messages.h"
#include "sim/campaign/party.h"
#include "sim/campaign/runner.h"
#include "sim/campaign/worker.h"
#include "sim/campaign/worker_process.h"

namespace reloadlab::sim {
namespace {

constexpr int kPollMs = 50;
constexpr double kGraceSeconds = 0.5;  // for a worker to say it first
constexpr double kStartSeconds = 60;   // a worker may have an interpreter to bring up, from a cold disk
constexpr int kStartsInVainMax = 3;

struct Desk {
  std::unique_ptr<WorkerProcess> worker;
  bool ready = false;
  std::optional<size_t> job;
  std::optional<GpuAllocator> allocator;  // of the worker's process; none: it has not used a GPU
  StepMessage where;
  std::chrono::steady_clock::time_point begin;
};

std::string on_one_line(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at)) text.replace(at, 1, "; ");
  return text;
}

class Pool : public Runner {
 public:
  Pool(const Engine& engine, WorkerOptions options) : engine_(engine), options_(std::move(options)) {}

  Status run(std::span<const Job> jobs, const WhyNot& why_not, const OnAnswer& on_answer) override {
    jobs_ = jobs, why_not_ = &why_not, on_answer_ = &on_answer;
    busy_ = 0, in_vain_ = 0, going_on_ = true;
    queue();
    std::erase_if(desks_, [](const Desk& desk) { return desk.job.has_value(); });  // what was dropped under way
    desks_.resize(std::min(static_cast<size_t>(options_.workers), std::max<size_t>(jobs.size(), 1)));
    while (going_on_ && (!meeting_.empty() || !others_.empty() || busy_ > 0)) {
      for (Desk& desk : desks_) RELOADLAB_TRY(seat(desk));
      wait();
      for (Desk& desk : desks_)
        if (desk.worker) RELOADLAB_TRY(attend(desk));
    }
    return {};
  }

 private:
  void queue() {
    meeting_.clear(), others_.clear();
    for (size_t index = 0; index < jobs_.size(); ++index) {
      const Case& the_case = jobs_[index].the_case;
      (needs_rank_processes(the_case) && the_case.ranks > 1 ? meeting_ : others_).push_back(index);
    }
  }

  // Where the first desk has to do both alone, it keeps to the order.
  std::deque<size_t>& queue_for(const Desk& desk) {
    if (&desk != &desks_.front() || meeting_.empty()) return others_;
    return desks_.size() > 1 || others_.empty() || meeting_.front() < others_.front() ? meeting_ : others_;
  }

  // Gives an idle desk a worker and a job.
  Status seat(Desk& desk) {
    std::deque<size_t>& jobs = queue_for(desk);
    if (desk.job || jobs.empty() || !going_on_) return {};
    const size_t index = jobs.front();
    if (const std::string reason = (*why_not_)(jobs_[index]); !reason.empty()) {
      jobs.pop_front();
      going_on_ = (*on_answer_)(index, unjudged(jobs_[index], End::skipped, reason));
      return {};
    }
    const Case& next = jobs_[index].the_case;
    if (next.world == WorldKind::cuda && desk.allocator.value_or(next.allocator) != next.allocator) desk.worker.reset();
    if (!desk.worker) {
      desk.allocator.reset();
      RELOADLAB_ASSIGN(desk.worker, WorkerProcess::start(options_.command, options_.log));
      desk.ready = false;
    }
    if (!desk.ready) return {};
    if (next.world == WorldKind::cuda) desk.allocator = next.allocator;
    jobs.pop_front();
    desk.job = index, ++busy_;
    desk.where = {};
    desk.begin = std::chrono::steady_clock::now();
    desk.worker->send(FrameKind::job, job_text({jobs_[*desk.job], !options_.judge_here}));
    desk.worker->pump();
    return {};
  }

  void wait() {
    std::vector<pollfd> watched;
    for (const Desk& desk : desks_)
      if (desk.worker) watched.push_back(desk.worker->watched());
    ::poll(watched.data(), watched.size(), kPollMs);
  }

  Status attend(Desk& desk) {
    desk.worker->pump();
    for (;;) {
      auto frame = desk.worker->next();
      if (!frame.ok()) return lose(desk, State::fail, frame.status().message());
      if (!frame->has_value()) break;
      RELOADLAB_TRY(take(desk, **frame));
      if (!desk.worker) return {};
    }
    if (desk.worker->gone()) return lose(desk, State::fail, {});
    // A worker that still can says so itself, and where its candidate stands.
    const double patience = desk.ready ? options_.silence_seconds : std::max(options_.silence_seconds, kStartSeconds);
    if ((desk.job || !desk.ready) && desk.worker->silent_seconds() > patience + kGraceSeconds)
      return lose(desk, State::hang, no_step_began(patience));
    return {};
  }

  Status take(Desk& desk, const Frame& frame) {
    switch (frame.kind) {
      case FrameKind::ready:
        desk.ready = true, in_vain_ = 0;
        return {};
      case FrameKind::waiting:
        return {};
      case FrameKind::step:
        if (auto where = parse_step(frame.body); where.ok())
          desk.where = *std::move(where);
        else
          return lose(desk, State::fail, where.status().message());
        return {};
      case FrameKind::evidence:
        return judge(desk, frame.body);
      case FrameKind::answer:
        if (auto answer = parse_answer(frame.body); desk.job && answer.ok())
          finish(desk, *std::move(answer));
        else
          return lose(desk, State::fail, answer.ok() ? "an answer that nobody asked for" : answer.status().message());
        return {};
      case FrameKind::failed:
        if (desk.job) finish(desk, failed_replay(jobs_[*desk.job], parse_status(frame.body), place_of(desk)));
        return {};
      case FrameKind::hang:
        return lose(desk, State::hang, on_one_line(frame.body));
      case FrameKind::job:
      case FrameKind::found:
      case FrameKind::summary:
        break;
    }
    return lose(desk, State::fail, "what it sent is no message");
  }

  static Finding place_of(const Desk& desk) {
    return {.execution = desk.where.execution, .rank = desk.where.rank, .step = desk.where.step};
  }

  Status judge(Desk& desk, std::string_view cbor) {
    auto evidence = parse_evidence(cbor);
    if (!evidence.ok()) return lose(desk, State::fail, "evidence that does not hold together: " + evidence.status().message());
    if (!desk.job) return lose(desk, State::fail, "evidence that nobody asked for");
    finish(desk, judge_evidence(jobs_[*desk.job], *evidence, engine_));
    return {};
  }

  void finish(Desk& desk, Answer answer) {
    const size_t index = *desk.job;
    answer.result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - desk.begin).count();
    desk.job.reset(), --busy_;
    if (options_.fresh_for_each || spoils_its_process(answer.result)) desk.worker.reset();
    if (going_on_) going_on_ = (*on_answer_)(index, std::move(answer));
  }

  // The worker is beyond help: ends it, and blames its candidate when it had one. `what` is empty when it died by itself.
  Status lose(Desk& desk, State state, std::string what) {
    const std::string how = desk.worker->end();
    desk.worker.reset();
    if (what.empty()) what = how;
    if (!desk.job) {
      if (++in_vain_ < kStartsInVainMax) return {};
      return Status(Code::failed, fmt::format("worker processes do not come up: {}", what));
    }
    const Job& job = jobs_[*desk.job];
    Finding finding = place_of(desk);
    finding.what = what;
    finish(desk, lost(job, state, finding));
    return {};
  }

  const Engine& engine_;
  const WorkerOptions options_;
  std::span<const Job> jobs_;
  const WhyNot* why_not_ = nullptr;
  const OnAnswer* on_answer_ = nullptr;
  std::vector<Desk> desks_;
  std::deque<size_t> meeting_, others_;  // that nobody has yet, in their order
  size_t busy_ = 0;
  int in_vain_ = 0;
  bool going_on_ = true;
};

}  // namespace

std::unique_ptr<Runner> run_in_workers(const Engine& engine, WorkerOptions options) {
  return std::make_unique<Pool>(engine, std::move(options));
}

}  // namespace reloadlab::sim
