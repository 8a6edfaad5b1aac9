#include "sim/scenario/bind_delivery.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "sim/scenario/ranges.h"
#include "sim/scenario/spelling.h"
#include "sim/scenario/structure.h"

namespace reloadlab::sim {
namespace {

constexpr int64_t repeat_max = 1024;

// "name x2" taken apart; times is 0 when the text is something else.
std::pair<std::string, int64_t> split_times(const std::string& text) {
  const size_t blank = text.rfind(" x");
  int64_t times = 0;
  if (blank == text.npos) return {text, 0};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + blank + 2, end, times);
  return {text.substr(0, blank), error == std::errc() && stop == end && times <= repeat_max ? times : 0};
}

// A wrong tensor is made for real, so it stays small.
bool too_large(const Shape& shape) {
  int64_t elements = 1;
  for (int64_t size : shape)
    if (__builtin_mul_overflow(elements, size, &elements) || elements > (1 << 24)) return true;
  return false;
}

class DeliveryBinder {
 public:
  DeliveryBinder(const Node& node, std::string_view object, const StepContext& context, Diagnostics& diagnostics)
      : reader_(node, object), context_(context), diagnostics_(diagnostics) {}

  LoadPlan bind(std::string_view checkpoint_key) {
    plan_.checkpoint = reader_.text(checkpoint_key);
    if (reader_.has("direct")) plan_.direct = std::get<bool>(reader_.value("direct"));
    plan_.chunk = reader_.integer("chunk");
    plan_.batch = reader_.integer("batch");
    plan_.reuses = std::get<bool>(reader_.value("reuses"));
    bind_source();
    plan_.layout = unspell(layout_spellings, reader_.text("layout"));
    plan_.resolve = unspell(resolve_spellings, reader_.text("resolve"));
    if (context_.names) bind_names();
    if (reader_.has("dtype")) bind_dtype();
    bind_order();
    return std::move(plan_);
  }

 private:
  void bind_source() {
    plan_.source = unspell(source_spellings, reader_.text("source"));
    plan_.handle = unspell(handle_spellings, reader_.text("handle"));
    const bool foreign = plan_.source == LoadPlan::Source::ipc;
    if (foreign && reader_.has("reuses"))
      diagnostics_.error(reader_.at("reuses"), "reuses with source: ipc, expected handle, which says what becomes of the memory");
    if (!foreign && reader_.has("handle")) diagnostics_.error(reader_.at("handle"), "handle without source: ipc, expected them together");
  }

  void bind_names() {
    plan_.only = resolved("only");
    plan_.omit = resolved("omit");
    plan_.excess = resolved("excess");
    bind_repeat();
    bind_unknown();
    bind_wrong();
    if (!plan_.only.empty() || !plan_.omit.empty()) must_deliver_something();
  }

  std::vector<std::string> resolved(std::string_view key) {
    const Node* list = reader_.node(key);
    return list ? resolved(*list) : std::vector<std::string>();
  }

  std::vector<std::string> resolved(const Node& list) {
    std::vector<std::string> names;
    for (const NodePtr& item : list.items) {
      for (std::string& name : context_.names->resolve(item->text, item->at, diagnostics_)) names.push_back(std::move(name));
      if (names.size() <= static_cast<size_t>(limits::names_in_list)) continue;
      diagnostics_.error(item->at, fmt::format("a list of more than {} names, ranges expanded", limits::names_in_list));
      return {};
    }
    return names;
  }

  void bind_repeat() {
    const Node* list = reader_.node("repeat");
    if (!list) return;
    for (const NodePtr& item : list->items) {
      const auto [pattern, times] = split_times(item->text);
      if (times < 2) {
        diagnostics_.error(item->at, fmt::format("repeat: {}, expected \"name x2\" with 2 to {} times", item->text, repeat_max));
        continue;
      }
      for (std::string& name : context_.names->resolve(pattern, item->at, diagnostics_)) plan_.repeat.push_back({std::move(name), times});
    }
  }

  void bind_unknown() {
    const Node* list = reader_.node("unknown");
    if (!list) return;
    for (const NodePtr& item : list->items) {
      if (context_.names->has(item->text))
        diagnostics_.error(item->at,
                           fmt::format("unknown: {} is a tensor that the model takes, expected a name that no layer takes", item->text));
      if (item->text.find_first_of("{}") != std::string::npos)
        diagnostics_.error(item->at, fmt::format("unknown: {}, expected a name without ranges", item->text));
      plan_.unknown.push_back(item->text);
    }
  }

  void bind_wrong() {
    const Node* list = reader_.node("wrong");
    if (!list) return;
    for (const NodePtr& item : list->items) {
      const Reader wrong(*item, "wrong");
      LoadPlan::Wrong entry;
      if (wrong.has("shape")) entry.shape = integers_of(*wrong.node("shape"));
      if (wrong.has("dtype")) entry.dtype = dtype_from_name(wrong.text("dtype"));
      if (!entry.shape && !entry.dtype) diagnostics_.error(item->at, "wrong: neither shape nor dtype, expected at least one of them");
      if (entry.shape && too_large(*entry.shape)) diagnostics_.error(wrong.at("shape"), "wrong: a shape of more than 16,777,216 elements");
      for (std::string& name : context_.names->resolve(wrong.text("tensor"), wrong.at("tensor"), diagnostics_)) {
        plan_.wrong.push_back(entry);
        plan_.wrong.back().tensor = std::move(name);
      }
    }
  }

  void bind_dtype() {
    plan_.dtype = dtype_from_name(reader_.text("dtype"));
    if (!is_floating(*plan_.dtype))
      return diagnostics_.error(reader_.at("dtype"), fmt::format("dtype: {}, expected a floating-point type", dtype_name(*plan_.dtype)));
    for (const model::Delivery& delivery : context_.names ? context_.names->deliveries() : std::vector<model::Delivery>())
      if (is_floating(delivery.dtype) && !holds_all(*plan_.dtype, delivery.dtype))
        return diagnostics_.error(reader_.at("dtype"), fmt::format("dtype: {} does not hold all values of {}, which is {}",
                                                                   dtype_name(*plan_.dtype), delivery.name, dtype_name(delivery.dtype)));
  }

  // What is left of the model's deliveries after `only` and `omit`, in model order.
  std::vector<std::string> delivered() const {
    const std::set<std::string> only(plan_.only.begin(), plan_.only.end()), omit(plan_.omit.begin(), plan_.omit.end());
    std::vector<std::string> names;
    for (const model::Delivery& delivery : context_.names->deliveries())
      if ((only.empty() || only.contains(delivery.name)) && !omit.contains(delivery.name)) names.push_back(delivery.name);
    return names;
  }

  void must_deliver_something() {
    // An empty `only` after a misspelt name is no news.
    if (reader_.has("only") && plan_.only.empty()) return;
    if (delivered().empty() && !reader_.has("unknown"))
      diagnostics_.error(reader_.at(reader_.has("omit") ? "omit" : "only"), "nothing is left to deliver, expected at least one tensor");
  }

  void bind_order() {
    const Node* order = reader_.node("order");
    if (!order || order->kind == Node::Kind::scalar) {
      plan_.order = unspell(order_spellings, reader_.text("order"));
    } else if (order->kind == Node::Kind::map) {
      plan_.order = OrderKind::shuffled;
      plan_.order_seed = static_cast<uint64_t>(Reader(*order, "order").integer("shuffle"));
    } else {
      plan_.order = OrderKind::explicit_list;
      if (context_.names) bind_order_list(*order);
    }
  }

  void bind_order_list(const Node& order) {
    const size_t errors_before = diagnostics_.count();
    plan_.order_list = resolved(order);
    if (diagnostics_.count() != errors_before) return;
    const std::vector<std::string> all = delivered();
    std::set<std::string> left(all.begin(), all.end());
    const std::set<std::string> wanted = left;
    for (const std::string& name : plan_.order_list) {
      if (left.erase(name)) continue;
      const char* why = wanted.contains(name) ? "a second time" : "which only or omit leaves out";
      diagnostics_.error(order.at, fmt::format("order: {} {}, expected every delivered tensor once", name, why));
    }
    if (!left.empty())
      diagnostics_.error(order.at,
                         fmt::format("order: without {}{}, expected every delivered tensor once", *left.begin(), more(left.size() - 1)));
  }

  static std::string more(size_t count) { return count == 0 ? "" : fmt::format(" and {} more", count); }

  Reader reader_;
  const StepContext& context_;
  Diagnostics& diagnostics_;
  LoadPlan plan_;
};

}  // namespace

LoadPlan bind_delivery(const Node& node, std::string_view object, const StepContext& context, Diagnostics& diagnostics) {
  LoadPlan plan;
  Position at = node.at;
  if (node.kind == Node::Kind::scalar) {
    plan.checkpoint = node.text;
  } else {
    const std::string_view key = object == "reload" ? "to" : "from";
    plan = DeliveryBinder(node, object, context, diagnostics).bind(key);
    at = Reader(node, object).at(key);
  }
  if (std::find(context.checkpoints.begin(), context.checkpoints.end(), plan.checkpoint) == context.checkpoints.end())
    diagnostics.error(at, fmt::format("no checkpoint is called \"{}\"", plan.checkpoint),
                      diagnostics.suggest(plan.checkpoint, context.checkpoints));
  return plan;
}

int64_t load_calls(const LoadPlan& plan, const DeliveryNames& names) {
  auto calls = static_cast<int64_t>(plan.excess.size() + plan.unknown.size());
  for (const model::Delivery& delivery : names.deliveries()) {
    const auto named = [&](const std::vector<std::string>& list) {
      return std::find(list.begin(), list.end(), delivery.name) != list.end();
    };
    if ((!plan.only.empty() && !named(plan.only)) || named(plan.omit)) continue;
    const auto repeat =
        std::find_if(plan.repeat.begin(), plan.repeat.end(), [&](const auto& each) { return each.tensor == delivery.name; });
    calls += repeat == plan.repeat.end() ? 1 : repeat->times;
  }
  return calls;
}

}  // namespace reloadlab::sim
