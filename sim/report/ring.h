#pragma once
// What the events of one rank say of the windows of one of its series: at each reach, who lives in which window and since when.
//
//   collective into a window   its tenant arrives: the broadcast is issued, and nothing has waited for it yet
//   read, drain, host_sync     what was to arrive is there
//   lies                       behind a load, reload or reset: which layers point into which windows, though no pass has filled them
//   capture, replay            no host sees what a graph does: what windows hold is not known from there on
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/report/operations.h"
#include "sim/report/trace_file.h"

namespace reloadlab::sim {

class Ring {
 public:
  Ring(const TracedExecution& execution, const TracedSeries& series, const Operations& operations, const std::vector<TracedEvent>& events);

  struct Tenancy {
    enum class State { empty, arriving, held, unknown } state = State::empty;
    std::string layer;  // empty where it is empty or unknown, or where nobody knows what arrives
    bool read = false;
    std::string read_as;  // another layer than lives here
    // "2 arriving", with layers as they are to be called.
    std::string text(const std::function<std::string(const std::string&)>& name) const;
  };
  struct Row {
    int64_t step;
    std::string reached;
    std::map<int64_t, Tenancy> windows;  // by slot; empty where there is none
    std::vector<std::pair<std::string, std::string>> beside;
  };
  const std::vector<Row>& rows() const { return rows_; }
  bool owns_all() const;
  // Their numbers: a window is called by the position of the layer that is first seen to live in it, in a ring of all of them.
  std::vector<int64_t> slots() const;

 private:
  bool is_ours(const std::string& layer) const;
  bool is_in(std::string_view kind, int64_t step) const;
  bool in_graph(int64_t step) const { return is_in("capture", step) || is_in("replay", step); }
  void find_windows(const std::vector<TracedEvent>& events);
  int64_t slot_of(int64_t storage, const std::string& first);

  void take(const TracedEvent& event, Operations::Count& count);
  void replay(int64_t step);
  void collective(const TracedEvent& event, const Operations::Key& key);
  void read(const TracedEvent& event);
  void end_step(const TracedEvent& event);
  static void arrive(Tenancy& here);
  static void settle(Tenancy& here, const std::set<std::string>& layers);
  Row& open_row(int64_t step, const std::string& reached);
  Row& row_of(int64_t step) { return rows_.empty() || rows_.back().step != step ? open_row(step, "") : rows_.back(); }

  const TracedExecution& execution_;
  const TracedSeries& series_;
  const Operations& operations_;
  std::set<int64_t> storages_;                      // of windows
  std::set<std::string> own_;                       // layers
  std::map<int64_t, int64_t> slots_;                // by storage
  std::map<int64_t, std::set<std::string>> lying_;  // in this step, by slot
  std::set<int64_t> filled_;                        // slots, in this step
  std::vector<Row> rows_;
  int64_t step_ = -1;
  bool reaching_ = false;
};

}  // namespace reloadlab::sim
