#include "sim/campaign/worker.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "sim/campaign/frame.h"
#include "sim/campaign/messages.h"
#include "sim/campaign/trail.h"
#include "sim/evidence/store.h"
#include "sim/evidence/text.h"

namespace reloadlab::sim {
namespace {

bool send_outcome(int socket, const JobMessage& message, const Engine& engine, const EngineOptions& options) {
  if (message.judge) return send_frame(socket, FrameKind::answer, answer_text(attempt(message.job, engine, options)));
  Status failure;
  try {
    const auto evidence = engine.replay(message.job.the_case, message.job.candidate, options);
    if (evidence.ok()) {
      const auto cbor = to_cbor(*evidence);
      return send_frame(socket, FrameKind::evidence, {reinterpret_cast<const char*>(cbor.data()), cbor.size()});
    }
    failure = evidence.status();
  } catch (const std::exception& error) {
    failure = Status(Code::failed, first_line(error.what()));
  }
  return send_frame(socket, FrameKind::failed, status_text(failure));
}

}  // namespace

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
  // Before the campaign loses its patience, which knows less.
  if (engine.watch_hangs)
    engine.watch_hangs(silence_seconds / 4, [socket](const std::string& picture) { send_frame(socket, FrameKind::hang, picture); });
  if (!send_frame(socket, FrameKind::ready, "")) return 0;
  while (const auto frame = receive_frame(socket)) {
    const auto message = frame->kind == FrameKind::job ? parse_job(frame->body) : Status(Code::data, "a job was expected");
    if (!message.ok()) return static_cast<int>(Exit::defect);
    EngineOptions options{.prove_determinism = message->job.prove_determinism,
                          .silence_seconds = silence_seconds,
                          .timed = message->timed,
                          .seat = message->seat};
    options.on_step = [&](const Variation& variation, int rank, int step) {
      send_frame(socket, FrameKind::step, step_message_text({variation.label(), rank, step}));
    };
    options.on_wait = [socket] { send_frame(socket, FrameKind::waiting, ""); };
    trail.restart();
    if (message->seat) options.on_event = [&](const Variation& variation, int, const Event& event) { trail.add(variation.label(), event); };
    if (!send_outcome(socket, *message, engine, options)) break;
  }
  return 0;
}

}  // namespace reloadlab::sim
