#include "sim/evidence/behaviour.h"

#include <fmt/format.h>

#include <map>
#include <tuple>

namespace reloadlab::sim {
namespace {

std::string content_text(const BlobPtr& content) {
  return content ? fmt::format("{:016x}{:016x}", content->fingerprint[0], content->fingerprint[1]) : "no bytes";
}

std::string load_text(int load) { return load < 0 ? "outside of load calls" : fmt::format("at load {}", load); }

class Describing {
 public:
  explicit Describing(const Evidence& evidence) : evidence_(evidence) {}

  Behaviour all(const Execution& execution) {
    for (size_t position = 0; position < execution.ranks.size(); ++position) {
      rank_ = evidence_.number(position);
      const RankRun& run = execution.ranks[position];
      for (const StepOutcome& outcome : run.outcomes) errors(outcome);
      for (size_t i = 0; i < run.censuses.size(); ++i) census(run.censuses[i], i == 0 ? nullptr : &run.censuses[i - 1]);
      forwards(run);
      completion(run);
    }
    if (!execution.stopped.empty()) lines_.push_back({"errors", "the run", "is stopped before its end"});
    return std::move(lines_);
  }

 private:
  void say(std::string_view aspect, int step, std::string_view what, std::string says) {
    const std::string when = step < 0 ? "construction" : fmt::format("step {}", step);
    lines_.push_back({std::string(aspect), fmt::format("rank {}, {}: {}", rank_, when, what), std::move(says)});
  }

  void errors(const StepOutcome& outcome) {
    for (size_t i = 0; i < outcome.load_statuses.size(); ++i)
      say("errors", outcome.step, fmt::format("load {}", i), outcome.load_statuses[i].ok() ? "succeeds" : "fails");
    say("errors", outcome.step, "the step", outcome.crashed ? "an exception leaves it" : outcome.status.ok() ? "succeeds" : "fails");
    if (outcome.unusable) say("errors", outcome.step, "the model", "may not be used");
    if (outcome.output) say("bytes", outcome.step, "output", content_text(*outcome.output));
  }

  void census(const Census& now, const Census* before) {
    for (const CensusEntry& entry : now.entries) {
      if (entry.kind == CensusEntry::Kind::extra_host)
        say("bytes", now.step, entry.path, fmt::format("{}", entry.host));
      else
        say("bytes", now.step, entry.path, entry.on_meta ? "on meta" : content_text(entry.content));
      const CensusEntry* there = before ? before->find(entry.path) : nullptr;
      if (!there || (entry.storage < 0 && there->storage < 0)) continue;
      const bool kept = entry.storage == there->storage && entry.offset == there->offset;
      say("addresses", now.step, entry.path, kept ? "kept" : "lost");
    }
  }

  void forwards(const RankRun& run) {
    for (size_t i = 0; i < run.reads.size(); ++i) {
      const RankRun::Read& read = run.reads[i];
      say("bytes", read.step, fmt::format("read {} of {}.{}", i, layer(read.layer), read.slot), content_text(read.content));
    }
    for (size_t i = 0; i < run.graph_reads.size(); ++i)
      say("bytes", run.graph_reads[i].step, fmt::format("graph read {} of {}", i, run.graph_reads[i].path),
          fmt::format("{:016x}", static_cast<uint64_t>(run.graph_reads[i].checksum)));
  }

  std::string layer(int index) const { return index < 0 ? "no layer" : evidence_.layers[static_cast<size_t>(index)]; }

  void completion(const RankRun& run) {
    std::map<std::tuple<int, int, EventKind>, int> last;  // step, layer, kind → load
    for (const Event& event : run.events)
      if (event.kind == EventKind::post_load_end || event.kind == EventKind::write_kernel)
        last[{event.step, event.layer, event.kind}] = event.load;
    for (const auto& [key, load] : last) {
      const auto& [step, index, kind] = key;
      const std::string_view what = kind == EventKind::post_load_end ? "post-load step of" : "kernel tensors of";
      say("completion", step, fmt::format("{} {}", what, layer(index)), load_text(load));
    }
  }

  const Evidence& evidence_;
  int rank_ = 0;
  Behaviour lines_;
};

// What the lines of an aspect say, by place.
std::map<std::string_view, std::string_view> by_place(std::string_view aspect, const Behaviour& lines) {
  std::map<std::string_view, std::string_view> all;
  for (const BehaviourLine& line : lines)
    if (line.aspect == aspect) all.emplace(line.place, line.says);
  return all;
}

constexpr std::string_view kNothing = "nothing";

}  // namespace

Behaviour behaviour_of(const Evidence& evidence) {
  const Execution* warm = evidence.find(Variation::Kind::warm);
  return warm ? Describing(evidence).all(*warm) : Behaviour();
}

// In the order of the first; what only the other has comes last.
std::vector<Disagreement> first_in(std::string_view aspect, const Behaviour& one, const Behaviour& other) {
  const auto here = by_place(aspect, one), there = by_place(aspect, other);
  for (const BehaviourLine& line : one) {
    if (line.aspect != aspect) continue;
    const auto match = there.find(line.place);
    const std::string_view says = match == there.end() ? kNothing : match->second;
    if (says != line.says) return {{line.aspect, line.place, line.says, std::string(says)}};
  }
  for (const BehaviourLine& line : other)
    if (line.aspect == aspect && !here.contains(line.place)) return {{line.aspect, line.place, std::string(kNothing), line.says}};
  return {};
}

std::vector<Disagreement> disagreements(const Behaviour& one, const Behaviour& other) {
  std::vector<Disagreement> found;
  for (const std::string_view aspect : kAspects)
    for (Disagreement& row : first_in(aspect, one, other)) found.push_back(std::move(row));
  return found;
}

}  // namespace reloadlab::sim
