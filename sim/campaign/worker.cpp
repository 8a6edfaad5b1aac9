#include "sim/campaign/worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "sim/campaign/alarm.h"
#include "sim/campaign/frame.h"
#include "sim/campaign/messages.h"
#include "sim/campaign/trail.h"
#include "sim/evidence/store.h"
#include "sim/evidence/text.h"

namespace reloadlab::sim {
namespace {

// The campaign's end of the socket. One frame after another, whichever thread sends.
class Campaign {
 public:
  explicit Campaign(int socket) : socket_(socket) {}
  bool tell(FrameKind kind, std::string_view body) {
    const std::lock_guard lock(mutex_);
    return send_frame(socket_, kind, body);
  }

 private:
  const int socket_;
  std::mutex mutex_;
};

bool tell_outcome(Campaign& campaign, const JobMessage& message, const Engine& engine, const EngineOptions& options) {
  if (message.judge) return campaign.tell(FrameKind::answer, answer_text(attempt(message.job, engine, options)));
  Status failure;
  try {
    const auto evidence = engine.replay(message.job.the_case, message.job.candidate, options);
    if (evidence.ok()) {
      const auto cbor = to_cbor(*evidence);
      return campaign.tell(FrameKind::evidence, {reinterpret_cast<const char*>(cbor.data()), cbor.size()});
    }
    failure = evidence.status();
  } catch (const std::exception& error) {
    failure = Status(Code::failed, first_line(error.what()));
  }
  return campaign.tell(FrameKind::failed, status_text(failure));
}

std::string with_stand(const Engine& engine, const std::string& picture) {
  const std::string stand = engine.stands ? engine.stands() : std::string();
  return stand.empty() ? picture : fmt::format("{}; {}", picture, stand);
}

}  // namespace

std::string no_step_began(double seconds) { return fmt::format("no step began for {} s", seconds); }

bool is_tied_to_campaign(int socket) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ucred maker{};
  socklen_t size = sizeof maker;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &maker, &size) == 0 && maker.pid == ::getppid();
}

int serve_jobs(int socket, const Engine& engine, double silence_seconds) {
  if (!is_tied_to_campaign(socket)) return 0;
  for (const int file : {socket, kWorkerTrail}) ::fcntl(file, F_SETFD, FD_CLOEXEC);  // not for what the candidate starts
  TrailWriter trail(kWorkerTrail);
  Campaign campaign(socket);
  const auto hangs = [&](const std::string& picture) { campaign.tell(FrameKind::hang, with_stand(engine, picture)); };
  // Before the campaign loses its patience, which knows less.
  if (engine.watch_hangs) engine.watch_hangs(silence_seconds / 4, hangs);
  Alarm alarm(silence_seconds, [&] { hangs(no_step_began(silence_seconds)); });
  if (!campaign.tell(FrameKind::ready, "")) return 0;
  while (const auto frame = receive_frame(socket)) {
    const auto message = frame->kind == FrameKind::job ? parse_job(frame->body) : Status(Code::data, "a job was expected");
    if (!message.ok()) return static_cast<int>(Exit::defect);
    EngineOptions options{.prove_determinism = message->job.prove_determinism,
                          .silence_seconds = silence_seconds,
                          .timed = message->timed,
                          .seat = message->seat};
    // A rank of several may wait for one that hangs: who does, the campaign finds out.
    const auto goes_on = [&alarm, alone = !message->seat] { alone ? alarm.set() : alarm.clear(); };
    options.on_step = [&](const Variation& variation, int rank, int step) {
      goes_on();
      campaign.tell(FrameKind::step, step_message_text({variation.label(), rank, step}));
    };
    options.on_wait = [&] {
      goes_on();
      campaign.tell(FrameKind::waiting, "");
    };
    trail.restart();
    if (message->seat) options.on_event = [&](const Variation& variation, int, const Event& event) { trail.add(variation.label(), event); };
    goes_on();
    const bool told = tell_outcome(campaign, *message, engine, options);
    alarm.clear();
    if (!told) break;
  }
  return 0;
}

}  // namespace reloadlab::sim
