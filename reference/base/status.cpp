#include "reference/base/status.h"

namespace reloadlab {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::ok:
      return "ok";
    case Code::usage:
      return "usage";
    case Code::data:
      return "data";
    case Code::misuse:
      return "misuse";
    case Code::rejected:
      return "rejected";
    case Code::failed:
      return "failed";
    case Code::lost:
      return "lost";
    case Code::unsupported:
      return "unsupported";
  }
  return "unknown";
}

Status::Status(Code code, std::string message) {
  if (code != Code::ok) rep_ = std::make_shared<const Rep>(Rep{code, std::move(message)});
}

const std::string& Status::message() const {
  static const std::string none;
  return rep_ ? rep_->message : none;
}

Status Status::within(std::string_view what) const { return ok() ? *this : Status(code(), std::string(what) + ": " + message()); }

}  // namespace reloadlab
