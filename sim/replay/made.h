#pragma once
// What a candidate's makers give.
#include <exception>
#include <string>
#include <string_view>

#include "reference/base/check.h"
#include "reference/base/status.h"

namespace reloadlab::sim {

// A candidate that makes none of what it says that it is, or throws, has left the path: `survives` tells (Code::lost).
template <class Maker>
auto made(Maker&& maker) -> decltype(maker()) {
  try {
    auto result = maker();
    if (result.ok() && !*result) return Status(Code::lost, "what it makes of itself is null");
    if (!result.ok() && result.status().code() == Code::failed)
      return Status(Code::lost, "it cannot be made: " + result.status().message());
    return result;
  } catch (const Defect&) {
    throw;
  } catch (const std::exception& error) {
    const std::string_view text = error.what();
    return Status(Code::lost, "it cannot be made: an exception crossed the boundary: " + std::string(text.substr(0, text.find('\n'))));
  } catch (...) {
    return Status(Code::lost, "it cannot be made: an exception that is no std::exception crossed the boundary");
  }
}

}  // namespace reloadlab::sim
