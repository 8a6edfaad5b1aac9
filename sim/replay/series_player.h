#pragma once
// The series of one rank: makes and registers them, and does the steps that are about them. What forwards read is copied on the
// device, in the place and on the stream of the forward, and collected when the run is over, so that looking changes no order.
#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "reference/model/layer.h"
#include "sim/candidate/candidate.h"
#include "sim/evidence/evidence.h"
#include "sim/replay/catalogue.h"
#include "sim/replay/watch.h"
#include "sim/scenario/visits.h"
#include "sim/world/recording_group.h"
#include "sim/world/world.h"

namespace reloadlab::sim {

class SeriesPlayer {
 public:
  // What it shares with its rank's session; all of it outlives the player.
  struct Scene {
    const Case& the_case;
    const Catalogue& catalogue;
    World& world;
    int rank;
    int model_number;  // among those of its rank
    model::Model& model;
    Watch& watch;
    RankRun& run;
    std::function<Status(const std::function<Status()>&)> supervised;
    // What a cold load of the checkpoint leaves under the path, on the CPU.
    std::function<at::Tensor(const std::string& checkpoint, const std::string& path)> processed;
  };
  explicit SeriesPlayer(Scene scene);
  ~SeriesPlayer();

  Status make(const CandidateInfo& candidate, const CandidateContext& context);
  Status finish_loading();
  Status pass(const Step& step);
  Status update_owner(const Step& step);
  Status drain();
  Status reset();
  Status capture(const Step& step);
  Status replay();
  Status host_sync();
  Status sleep(bool keeps_contents);
  Status wake();
  // A reload by way of the series; `loads` delivers what the step says.
  Status reload(const Step& step, const std::function<Status(const Step&)>& loads);

  // Series die with their model, and graphs with what they read.
  void destroy();

  bool lost() const { return lost_; }
  void at_step(int step, const Step& what);
  // What is in windows though no pass has filled them: where the weights lie that other ranks own.
  void say_where_weights_lie() const;
  // After the run: reads get their contents.
  void collect(const std::function<BlobPtr(size_t read, const at::Tensor& here)>& keep);

 private:
  struct One {
    const SeriesSpec* spec;
    std::unique_ptr<WeightSeries> series;  // null on ranks that are not in it
  };
  // A read whose bytes are somewhere on the device.
  struct Taken {
    RankRun::Read read;
    at::Tensor copy;
  };

  // What is told of a collective, in EventKind::collective's words.
  struct Sent {
    int layer;
    int64_t bytes;
    std::string text;
    int64_t storage;
  };

  std::string own_name(const std::string& group) const;
  Status each(const std::function<Status(WeightSeries&)>& call);
  Status make_one(const SeriesSpec& spec, const CandidateInfo& candidate, const CandidateContext& context, One& one);
  void saw_collective(const std::string& group, int64_t rank_in_group, const IssuedCollective& issued);
  void tell(EventKind kind, const Sent& sent);
  Status play(const std::vector<Visit>& visits, Pass::Stream stream);
  Status reach(const Visit& visit);
  Status read(const Visit& visit, Pass::Stream stream);
  Status read_on(const Visit& visit, const c10::Stream& stream);
  void take(const std::string& layer);
  void seen(const RankRun::Read& read, at::Tensor copy);
  Status close_reload();
  Status overwrite(const std::string& checkpoint, bool also_shared);
  Step shared_part(Step step) const;
  int layer_of(const std::string& path) const { return scene_.catalogue.find_layer(path); }
  c10::Stream current() const;
  c10::Stream side();
  void order(const c10::Stream& first, const c10::Stream& then) const;
  void join();  // the current stream comes after what branched off

  Scene scene_;
  void about(std::string_view what, const std::string& layer = {}) const;
  void spend_before(const Visit& visit);
  void spend_after(const Visit& visit);
  size_t position(const std::string& layer) const;

  std::vector<One> series_;  // as in the case
  struct Pace {
    int step;
    int64_t begin, end;                                   // marks
    std::vector<std::pair<int64_t, int64_t>> waits = {};  // before and behind them
  };
  bool takes_waits() const;
  int number_of(const c10::Stream& stream);
  std::vector<Pace> paces_;
  std::vector<c10::Stream> readers_;  // streams, in the order of their first reads
  std::map<std::string, c10::intrusive_ptr<c10d::ProcessGroup>> groups_;
  std::vector<at::Tensor> copies_;  // of run.reads, by position
  std::unique_ptr<DeviceGraph> graph_;
  std::vector<Sent> captured_sent_;  // what each replay issues anew
  std::vector<Taken> captured_;      // and reads anew
  bool capturing_ = false;
  std::optional<c10::Stream> side_;
  bool forks_ = false;                // it holds forwards that nothing has joined
  std::optional<c10::Event> forked_;  // where the stream of a second reader branches off
  int step_ = -1;
  bool lost_ = false;
};

}  // namespace reloadlab::sim
