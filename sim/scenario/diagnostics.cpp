#include "sim/scenario/diagnostics.h"

#include <fmt/format.h>

#include <iterator>

namespace reloadlab::sim {
namespace {

constexpr size_t errors_printed_max = 200;

}  // namespace

void Diagnostics::error(Position at, const std::string& message, const std::string& suggestion) {
  errors_.try_emplace({at, message}, suggestion);
}

Status Diagnostics::status() const {
  if (ok()) return {};
  std::string text;
  size_t printed = 0;
  for (const auto& [key, suggestion] : errors_) {
    if (printed++ == errors_printed_max) break;
    fmt::format_to(std::back_inserter(text), "{}{}:{}:{}: {}{}", text.empty() ? "" : "\n", file_, key.first.line, key.first.column,
                   key.second, suggestion);
  }
  if (errors_.size() > errors_printed_max) text += fmt::format("\n{}: and {} more errors", file_, errors_.size() - errors_printed_max);
  return Status(Code::data, text);
}

}  // namespace reloadlab::sim
