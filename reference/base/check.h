#pragma once
// Checks of our own invariants, on in every build. A failed check throws Defect, which the program turns into exit code 70.
#include <stdexcept>
#include <string>

namespace reloadlab {

class Defect : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void fail_check(const char* file, int line, const char* expression, const std::string& context);

}  // namespace reloadlab

// RELOADLAB_CHECK(index < size, fmt::format("rank {} layer {}", rank, layer)): the context is evaluated only on failure.
#define RELOADLAB_CHECK(condition, context)                                               \
  do {                                                                                    \
    if (!(condition)) ::reloadlab::fail_check(__FILE__, __LINE__, #condition, (context)); \
  } while (false)
