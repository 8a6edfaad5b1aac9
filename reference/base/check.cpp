#include "reference/base/check.h"

namespace reloadlab {

void fail_check(const char* file, int line, const char* expression, const std::string& context) {
  throw Defect(std::string(file) + ":" + std::to_string(line) + ": check failed: " + expression + ": " + context);
}

}  // namespace reloadlab
