#include "sim/campaign/party.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/campaign/gpu_turn.h"
#include "sim/campaign/messages.h"
#include "sim/campaign/trail.h"
#include "sim/campaign/worker_process.h"

namespace reloadlab::sim {
namespace {

constexpr int turn_ms = 20;

// A rank gives up long before whoever waits for all of them, and says what it waited for.
double party_patience(double silence_seconds) { return std::max(silence_seconds / 30, std::min(1.0, silence_seconds / 8)); }

bool crashed(const Evidence& evidence) {
  return std::ranges::any_of(evidence.executions, [](const Execution& execution) {
    return std::ranges::any_of(execution.ranks, [](const RankRun& run) {
      return std::ranges::any_of(run.outcomes, [](const StepOutcome& outcome) { return outcome.crashed; });
    });
  });
}

}  // namespace

Result<Evidence> Party::play(const Job& job, const EngineOptions& engine) {
  Result<Evidence> evidence = try_to_play(job, engine);
  if (!evidence.ok() || !is_settled(*evidence)) leave();
  return evidence;
}

Result<Evidence> Party::try_to_play(const Job& job, const EngineOptions& engine) {
  RELOADLAB_TRY(gather(static_cast<size_t>(job.the_case.ranks), true, engine));
  play_all(job, engine);
  std::vector<RankPart> parts;
  for (Member& member : members_) {
    if (member.failed) return *member.failed;
    parts.push_back(std::move(member.part));
  }
  return put_together(job.the_case, job.candidate, std::move(parts));
}

Result<Evidence> Party::play_alone(const Job& job, const EngineOptions& engine) {
  RELOADLAB_TRY(gather(1, false, engine));
  play_all(job, engine);
  Member member = std::move(members_.front());
  if (!member.part.evidence || crashed(*member.part.evidence))
    leave();
  else
    members_.front().process = std::move(member.process);
  if (member.failed) return *member.failed;
  if (!member.part.evidence) return Status(Code::lost, (member.part.hangs ? "hang: " : "") + member.part.lost);
  return *std::move(member.part.evidence);
}

void Party::play_all(const Job& job, const EngineOptions& engine) {
  deal(job, engine);
  while (!std::ranges::all_of(members_, &Member::done)) {
    wait();
    for (size_t rank = 0; rank < members_.size(); ++rank) attend(rank, engine);
  }
}

void Party::leave() {
  members_.clear();
  place_.reset();
}

// All are there as the last case left them: one that died since, or has something more to tell, is of no use for the next one, and
// alone no other can be put in its place.
bool Party::can_go_on(size_t processes) const {
  return members_.size() == processes && std::ranges::all_of(members_, [](const Member& member) {
           if (!member.process) return false;
           member.process->pump();
           const auto frame = member.process->next();
           return frame.ok() && !frame->has_value() && !member.process->gone();
         });
}

Status Party::gather(size_t processes, bool meet, const EngineOptions& engine) {
  if (can_go_on(processes)) return {};
  leave();
  if (meet) {
    RELOADLAB_ASSIGN(place_, home_.meet());
  }
  for (size_t rank = 0; rank < processes; ++rank) {
    RELOADLAB_ASSIGN(members_.emplace_back().process, home_.start(static_cast<int>(rank), engine));
  }
  return {};
}

void Party::deal(const Job& job, const EngineOptions& engine) {
  ++round_;
  for (size_t rank = 0; rank < members_.size(); ++rank) {
    Member& member = members_[rank];
    member.part = {};
    member.failed.reset();
    JobMessage message{.job = job, .timed = engine.timed};
    if (place_) {
      Seat& seat = message.seat.emplace(home_.seat(static_cast<int>(rank)));
      seat.rank = static_cast<int>(rank);
      seat.ranks = static_cast<int>(members_.size());
      seat.port = place_->port();
      seat.round = round_;
      seat.patience = party_patience(engine.silence_seconds);
    }
    member.process->send(FrameKind::job, job_text(message));
    member.process->pump();
  }
}

void Party::wait() {
  std::vector<pollfd> watched;
  for (const Member& member : members_)
    if (!member.done()) watched.push_back(member.process->watched());
  ::poll(watched.data(), watched.size(), turn_ms);
}

void Party::attend(size_t rank, const EngineOptions& engine) {
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
  if (member.process->silent_seconds() > engine.silence_seconds / 2) lose(rank, "fell silent, and was ended", true);
}

void Party::take(size_t rank, const Frame& frame, const EngineOptions& engine) {
  Member& member = members_[rank];
  switch (frame.kind) {
    case FrameKind::ready:
    case FrameKind::waiting:
      return;
    case FrameKind::step:
      if (const auto where = parse_step(frame.body); where.ok() && engine.on_step)
        engine.on_step({.kind = Variation::Kind::warm}, place_ ? static_cast<int>(rank) : where->rank, where->step);
      return;
    case FrameKind::evidence: {
      auto evidence = parse_evidence(frame.body);
      if (!evidence.ok()) return lose(rank, "tells what does not hold together: " + evidence.status().message());
      member.part.evidence = *std::move(evidence);
      return;
    }
    case FrameKind::failed:
      // A device that can no longer be used is the rank's loss; what the case or this machine lacks, all ranks say alike.
      if (const Status status = parse_status(frame.body); place_ && (status.code() == Code::failed || status.code() == Code::lost))
        lose(rank, status.message());
      else
        member.failed = status;
      return;
    case FrameKind::hang:
      return lose(rank, frame.body, true);
    case FrameKind::answer:
    case FrameKind::job:
    case FrameKind::found:
    case FrameKind::summary:
      break;
  }
  lose(rank, "what it sent is no message");
}

// The others notice that it is gone, and tell what they waited for.
void Party::lose(size_t rank, const std::string& how, bool hangs) {
  Member& member = members_[rank];
  member.part.lost = place_ ? fmt::format("rank {}: {}", rank, how) : how;
  member.part.hangs = hangs;
  member.part.events = trail_events(member.process->trail(), Variation{.kind = Variation::Kind::warm}.label());
  member.process.reset();
}

Result<std::unique_ptr<Peer>> start_worker(const std::vector<std::string>& command, const EngineOptions& engine) {
  std::vector<std::string> words = command;
  words.insert(words.end(), {"--hang-after", fmt::format("{}s", engine.silence_seconds)});
  RELOADLAB_ASSIGN(std::unique_ptr<Peer> worker, WorkerProcess::start(words, engine.log));
  return worker;
}

bool needs_rank_processes(const Case& the_case) { return the_case.world == WorldKind::cuda && !the_case.series.empty(); }

Engine with_rank_processes(Engine engine, std::vector<std::string> command) {
  const Party::Home home{.start = [command = std::move(command)](int, const EngineOptions& asked) { return start_worker(command, asked); },
                         .seat = [](int rank) { return Seat{.device = rank}; },
                         .meet = engine.meet};
  // By what differs from case to case: their number of ranks, and the allocator that their processes have.
  auto parties = std::make_shared<std::map<std::pair<int, GpuAllocator>, Party>>();
  engine.replay = [parties, home, alone = std::move(engine.replay)](const Case& the_case, const std::string& candidate,
                                                                    const EngineOptions& asked) -> Result<Evidence> {
    if (asked.seat || !needs_rank_processes(the_case)) return alone(the_case, candidate, asked);
    std::optional<GpuTurn> turn;
    if (the_case.ranks > 1) {
      RELOADLAB_ASSIGN(GpuTurn taken, GpuTurn::take(asked.on_wait));
      turn.emplace(std::move(taken));
    }
    Party& party = parties->try_emplace({the_case.ranks, the_case.allocator}, home).first->second;
    return party.play({.the_case = the_case, .candidate = candidate, .prove_determinism = asked.prove_determinism}, asked);
  };
  return engine;
}

Engine with_worker_process(Engine engine, std::vector<std::string> command) {
  auto party = std::make_shared<Party>(
      Party::Home{.start = [command = std::move(command)](int, const EngineOptions& asked) { return start_worker(command, asked); },
                  .seat = [](int rank) { return Seat{.device = rank}; },
                  .meet = engine.meet});
  engine.replay = [party](const Case& the_case, const std::string& candidate, const EngineOptions& asked) {
    return party->play_alone({.the_case = the_case, .candidate = candidate, .prove_determinism = asked.prove_determinism}, asked);
  };
  return engine;
}

}  // namespace reloadlab::sim
