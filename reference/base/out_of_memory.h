#pragma once
// Memory that the machine does not have, with words that say for what: a case that is too large, and no defect of the harness.
#include <new>
#include <string>
#include <utility>

namespace reloadlab {

class OutOfMemory : public std::bad_alloc {
 public:
  explicit OutOfMemory(std::string message) : message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

}  // namespace reloadlab
