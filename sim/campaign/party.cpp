#include "sim/campaign/party.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/campaign/messages.h"
#include "sim/campaign/worker_process.h"
#include "sim/evidence/rank_parts.h"

namespace reloadlab::sim {
namespace {

constexpr int poll_ms = 20;

struct Member {
  std::unique_ptr<WorkerProcess> process;
  RankPart part;
  std::optional<Status> failed;  // what replay said in place of evidence
  bool done() const { return part.evidence || failed || !part.lost.empty(); }
};

class Party {
 public:
  Party(PartyOptions options, std::function<Result<std::unique_ptr<MeetingPlace>>()> meet)
      : options_(std::move(options)), meet_(std::move(meet)) {}

  Result<Evidence> play(const Job& job, const EngineOptions& engine) {
    Result<Evidence> evidence = try_to_play(job, engine);
    if (!evidence.ok() || !is_settled(*evidence)) leave();
    return evidence;
  }

 private:
  Result<Evidence> try_to_play(const Job& job, const EngineOptions& engine) {
    RELOADLAB_TRY(gather(static_cast<size_t>(job.the_case.ranks)));
    deal(job, engine.timed);
    while (!std::ranges::all_of(members_, &Member::done)) {
      wait();
      for (size_t rank = 0; rank < members_.size(); ++rank) attend(rank, engine);
    }
    std::vector<RankPart> parts;
    for (Member& member : members_) {
      if (member.failed) return *member.failed;
      parts.push_back(std::move(member.part));
    }
    return put_together(job.the_case, job.candidate, std::move(parts));
  }

  void leave() {
    members_.clear();
    place_.reset();
  }

  // All are there as the last case left them: one that died since, or has something more to tell, is of no use for the next one, and
  // alone no other can be put in its place.
  bool can_go_on(size_t ranks) const {
    return members_.size() == ranks && std::ranges::all_of(members_, [](const Member& member) {
             if (!member.process) return false;
             member.process->pump();
             const auto frame = member.process->next();
             return frame.ok() && !frame->has_value() && !member.process->gone();
           });
  }

  Status gather(size_t ranks) {
    if (can_go_on(ranks)) return {};
    leave();
    RELOADLAB_ASSIGN(place_, meet_());
    members_.resize(ranks);
    for (Member& member : members_) {
      RELOADLAB_ASSIGN(member.process, WorkerProcess::start(options_.command, options_.log));
    }
    return {};
  }

  void deal(const Job& job, bool timed) {
    ++round_;
    for (size_t rank = 0; rank < members_.size(); ++rank) {
      Member& member = members_[rank];
      member.part = {};
      member.failed.reset();
      JobMessage message{.job = job, .timed = timed};
      message.seat = Seat{.rank = static_cast<int>(rank),
                          .ranks = static_cast<int>(members_.size()),
                          .port = place_->port(),
                          .round = round_,
                          .patience = options_.silence_seconds / 30};
      member.process->send(FrameKind::job, job_text(message));
      member.process->pump();
    }
  }

  void wait() {
    std::vector<pollfd> watched;
    for (const Member& member : members_)
      if (!member.done()) watched.push_back(member.process->watched());
    ::poll(watched.data(), watched.size(), poll_ms);
  }

  void attend(size_t rank, const EngineOptions& engine) {
    Member& member = members_[rank];
    if (member.done()) return;
    member.process->pump();
    while (!member.done()) {
      const auto frame = member.process->next();
      if (!frame.ok()) return lose(rank, frame.status().message());
      if (!frame->has_value()) break;
      take(rank, **frame, engine);
    }
    if (member.done()) return;
    if (member.process->gone()) return lose(rank, member.process->end());
    if (member.process->silent_seconds() > options_.silence_seconds) lose(rank, "fell silent, and was ended", true);
  }

  void take(size_t rank, const Frame& frame, const EngineOptions& engine) {
    Member& member = members_[rank];
    switch (frame.kind) {
      case FrameKind::ready:
        return;
      case FrameKind::step:
        if (const auto where = parse_step(frame.body); where.ok() && engine.on_step)
          engine.on_step({.kind = Variation::Kind::warm}, static_cast<int>(rank), where->step);
        return;
      case FrameKind::evidence: {
        auto evidence = parse_evidence(frame.body);
        if (!evidence.ok()) return lose(rank, "tells what does not hold together: " + evidence.status().message());
        member.part.evidence = *std::move(evidence);
        return;
      }
      case FrameKind::failed:
        // A device that can no longer be used is the rank's loss; what the case or this machine lacks, all ranks say alike.
        if (const Status status = parse_status(frame.body); status.code() == Code::failed)
          lose(rank, status.message());
        else
          member.failed = status;
        return;
      case FrameKind::hang:
        return lose(rank, frame.body, true);
      case FrameKind::answer:
      case FrameKind::job:
        break;
    }
    lose(rank, "what it sent is no message");
  }

  // The others notice that it is gone, and tell what they waited for.
  void lose(size_t rank, const std::string& how, bool hangs = false) {
    members_[rank].part.lost = fmt::format("rank {}: {}", rank, how);
    members_[rank].part.hangs = hangs;
    members_[rank].process.reset();
  }

  const PartyOptions options_;
  const std::function<Result<std::unique_ptr<MeetingPlace>>()> meet_;
  std::unique_ptr<MeetingPlace> place_;
  std::vector<Member> members_;
  int64_t round_ = 0;
};

}  // namespace

bool needs_rank_processes(const Case& the_case) { return the_case.world == WorldKind::cuda && !the_case.series.empty(); }

Engine with_rank_processes(Engine engine, PartyOptions options) {
  auto party = std::make_shared<Party>(std::move(options), engine.meet);
  engine.replay = [party, alone = std::move(engine.replay)](const Case& the_case, const std::string& candidate,
                                                            const EngineOptions& asked) -> Result<Evidence> {
    if (asked.seat || !needs_rank_processes(the_case)) return alone(the_case, candidate, asked);
    return party->play({.the_case = the_case, .candidate = candidate, .prove_determinism = asked.prove_determinism}, asked);
  };
  return engine;
}

}  // namespace reloadlab::sim
