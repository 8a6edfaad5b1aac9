#pragma once
// Exceptions stop here: runs fn, and turns whatever it throws into a failed Status.
#include <exception>
#include <utility>

#include "reference/base/check.h"
#include "reference/base/status.h"

namespace reloadlab::model {

template <class Fn>
Status guarded(Fn&& fn) {
  try {
    return std::forward<Fn>(fn)();
  } catch (const Defect&) {
    throw;
  } catch (const std::exception& error) {
    std::string_view text = error.what();
    return Status(Code::failed, std::string(text.substr(0, text.find('\n'))));
  }
}

}  // namespace reloadlab::model
