#include "sim/report/steps.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "sim/law/reading.h"
#include "sim/report/text.h"
#include "sim/scenario/spelling.h"

namespace reloadlab::sim {
namespace {

constexpr size_t kEventsShown = 6;
constexpr size_t kRanksShown = 8;
constexpr size_t kWordsShown = 6;  // at either end

std::string_view order_word(OrderKind order) {
  switch (order) {
    case OrderKind::listed:
      return "";
    case OrderKind::by_layer:
      return ", by layer";
    case OrderKind::reversed:
      return ", reversed";
    case OrderKind::shuffled:
      return ", shuffled";
    case OrderKind::interleaved:
      return ", interleaved";
    case OrderKind::explicit_list:
      return ", in its own order";
  }
  return "";
}

const Execution* execution_of(const Evidence& evidence, const Finding& finding) {
  for (const Execution& execution : evidence.executions)
    if (execution.variation.label() == finding.execution) return &execution;
  return evidence.find(Variation::Kind::warm);
}

// The last two parts of a dotted name tell shards apart; what stands before is the layer's.
std::string short_name(const std::string& path) {
  size_t at = path.rfind('.');
  if (at != std::string::npos && at > 0) at = path.rfind('.', at - 1);
  return at == std::string::npos ? path : path.substr(at + 1);
}

// Load names as short as tells those of one rank apart.
class StepNames {
 public:
  explicit StepNames(const RankRun& rank) {
    for (const Event& event : rank.events)
      if (event.kind == EventKind::load_begin) full_[short_name(event.text)].insert(event.text);
  }
  std::string operator()(const std::string& path) const {
    const std::string brief = short_name(path);
    const auto found = full_.find(brief);
    return found != full_.end() && found->second.size() > 1 ? path : brief;
  }

 private:
  std::map<std::string, std::set<std::string>> full_;
};

std::string layer_name(const Evidence& evidence, int layer) {
  return layer >= 0 && static_cast<size_t>(layer) < evidence.layers.size() ? evidence.layers[static_cast<size_t>(layer)] : std::string();
}

// What an event says in a cell; `opens` when a cell begins with it. Empty: not shown.
struct Word {
  std::string text;
  bool opens = false;
};

Word word_of(const Evidence& evidence, const StepNames& names, const Event& event) {
  switch (event.kind) {
    case EventKind::load_begin:
      return {names(event.text), true};
    case EventKind::load_counted:
      return {grouped(event.numel)};
    case EventKind::load_dropped:
      return {"dropped"};
    case EventKind::completed:
      return {"→ complete"};
    case EventKind::processed:
      return {"→ process"};
    case EventKind::copied_back:
      return {"→ copy back"};
    case EventKind::warning:
      return {"→ warns: " + event.text};
    case EventKind::fault:
      return {"→ fault: " + event.text};
    case EventKind::prepare_begin:
      return {"prepare", true};
    case EventKind::finish_begin:
      return {"finish " + layer_name(evidence, event.layer), true};
    case EventKind::abort_begin:
      return {"abort", true};
    case EventKind::forward:
      return {"forward", true};
    case EventKind::reach_begin:
      return {"reach " + layer_name(evidence, event.layer), true};
    case EventKind::collective:
      return {"→ " + event.text};
    case EventKind::captured:
      return {"→ captures " + event.text};
    case EventKind::read:
      return {fmt::format("read {}.{}", layer_name(evidence, event.layer), event.text), true};
    case EventKind::lost:
      return {"lost", true};
    case EventKind::reloaded:
      return {"→ reloaded " + event.text};
    default:
      return {};
  }
}

struct Cell {
  std::vector<std::string> words;
  bool on_layer = false;

  // A finish may process all layers of a model: how it began and how it ended.
  std::string text() const {
    if (words.size() <= 2 * kWordsShown) return fmt::format("{}", fmt::join(words, " "));
    const auto from = words.end() - static_cast<std::ptrdiff_t>(kWordsShown), to = words.begin() + static_cast<std::ptrdiff_t>(kWordsShown);
    return fmt::format("{} … {}", fmt::join(words.begin(), to, " "), fmt::join(from, words.end(), " "));
  }
};

std::vector<Cell> cells_of(const Evidence& evidence, const RankRun& rank, StepRange steps, const std::string& layer) {
  const StepNames names(rank);
  std::vector<Cell> cells;
  int step = -1;  // of the last cell
  for (const Event& event : rank.events) {
    if (!steps.has(event.step)) continue;
    Word word = word_of(evidence, names, event);
    const std::string where = layer_name(evidence, event.layer);
    // What a call led to on other layers belongs to other stories.
    if (word.text.empty() || (!word.opens && !layer.empty() && !where.empty() && where != layer)) continue;
    while (!word.text.empty() && word.text.back() == ' ') word.text.pop_back();
    // A candidate may say once that something is missing and once more that it only warns of it.
    if (event.kind == EventKind::warning && !cells.empty() && cells.back().words.back() == word.text) continue;
    if (word.opens || cells.empty() || step != event.step)
      cells.push_back({{std::move(word.text)}});
    else
      cells.back().words.push_back(std::move(word.text));
    step = event.step;
    if (!layer.empty() && where == layer) cells.back().on_layer = true;
  }
  return cells;
}

// The longest layer path that the tensor's path begins with.
std::string layer_of(const Evidence& evidence, const std::string& tensor) {
  std::string best;
  for (const std::string& layer : evidence.layers)
    if (tensor.starts_with(layer + ".") && layer.size() > best.size()) best = layer;
  return best;
}

// ", skip blocks.2.o_proj, forwards on another stream"
std::string pass_words(const Pass& pass) {
  std::string words;
  for (const Pass::At& each : pass.deviations) words += fmt::format(", {} {}", spell(deviation_spellings, each.deviation), each.layer);
  if (pass.stream != Pass::Stream::current) words += fmt::format(", forwards on a stream that is {}", spell(stream_spellings, pass.stream));
  if (!pass.ranks.empty()) words += fmt::format(", on ranks {}", fmt::join(pass.ranks, " "));
  if (pass.lost) words += fmt::format(", rank {} lost after {}", pass.lost->rank, pass.lost->after);
  return words;
}

// " of 1, 8 tokens"
std::string sizes_text(const Graphs& graphs) {
  return graphs.sizes.empty() ? "" : fmt::format(" of {} tokens", fmt::join(graphs.sizes, ", "));
}

}  // namespace

std::string step_text(const Step& step) {
  const std::string& name = step.plan.checkpoint;
  const std::string order(order_word(step.plan.order));
  switch (step.kind) {
    case StepKind::load:
      return "load " + name + order;
    case StepKind::reload:
      return "reload to " + name + order;
    case StepKind::loads:
      return "loads of " + name + order;
    case StepKind::prepare:
      return "prepare";
    case StepKind::finish:
      return "finish";
    case StepKind::abort:
      return "abort";
    case StepKind::retry:
      return "retry";
    case StepKind::forward:
      return "forward";
    case StepKind::destroy:
      return "destroy";
    case StepKind::repeat:
      return fmt::format("repeat {} times", step.times);
    case StepKind::pass:
      return "pass" + pass_words(step.pass);
    case StepKind::update_owner:
      return "owners updated to " + name;
    case StepKind::drain:
      return "drain";
    case StepKind::reset:
      return "reset";
    case StepKind::capture:
      return "capture" + pass_words(step.pass) + sizes_text(step.graphs);
    case StepKind::replay:
      return "replay of the graph" + sizes_text(step.graphs);
    case StepKind::host_sync:
      return "hosts wait";
    case StepKind::sleep:
      return fmt::format("sleep of level {}", step.level);
    case StepKind::wake:
      return "wake";
  }
  return {};
}

const Step* finding_step(const Evidence& evidence, const Finding& finding) {
  const Execution* execution = execution_of(evidence, finding);
  if (!execution || finding.step < 0 || static_cast<size_t>(finding.step) >= execution->steps.size()) return nullptr;
  return &execution->steps[static_cast<size_t>(finding.step)];
}

namespace {

std::vector<RankTail> tails_of(const Evidence& evidence, const Execution& execution, StepRange steps, const std::string& layer) {
  std::vector<RankTail> tails;
  for (size_t rank = 0; rank < execution.ranks.size() && rank < kRanksShown; ++rank) {
    std::vector<Cell> cells = cells_of(evidence, execution.ranks[rank], steps, layer);
    if (std::any_of(cells.begin(), cells.end(), [](const Cell& cell) { return cell.on_layer; }))
      std::erase_if(cells, [](const Cell& cell) { return !cell.on_layer; });
    RankTail tail{evidence.number(rank), {}};
    if (cells.size() > kEventsShown) tail.events.emplace_back("…");
    for (size_t i = cells.size() - std::min(cells.size(), kEventsShown); i < cells.size(); ++i) tail.events.push_back(cells[i].text());
    if (!tail.events.empty()) tails.push_back(std::move(tail));
  }
  return tails;
}

}  // namespace

std::vector<RankTail> last_events(const Evidence& evidence, const Finding& finding) {
  const Execution* execution = execution_of(evidence, finding);
  if (!execution) return {};
  const std::string layer = layer_of(evidence, finding.tensor);
  const int last = static_cast<int>(execution->steps.size()) - 1;
  if (finding.step < 0) return tails_of(evidence, *execution, {0, last}, layer);
  std::vector<RankTail> tails = tails_of(evidence, *execution, update_of(*execution, finding.step), layer);
  // A step without events of its own, as destroy is: what came to a head in it happened before.
  for (int step = std::min(finding.step, last + 1) - 1; tails.empty() && step >= 0; --step) {
    tails = tails_of(evidence, *execution, update_of(*execution, step), layer);
    for (RankTail& tail : tails) tail.events.insert(tail.events.begin(), fmt::format("before, in step {}", step));
  }
  return tails;
}

}  // namespace reloadlab::sim
