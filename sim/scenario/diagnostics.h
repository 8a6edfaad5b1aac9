#pragma once
// Gathers what is wrong with one scenario file, so that all of it is reported at once and in file order.
#include <map>
#include <string>
#include <utility>

#include "reference/base/nearest.h"
#include "reference/base/status.h"
#include "sim/scenario/position.h"

namespace reloadlab::sim {

class Diagnostics {
 public:
  explicit Diagnostics(std::string file) : file_(std::move(file)) {}

  // `message` says what is wrong and what was expected. The same message at the same place counts once, whichever case finds it.
  void error(Position at, const std::string& message, const std::string& suggestion = {});

  // did_you_mean(), until a file has used up its share: a large file of misspelt names must not cost minutes.
  template <class Range>
  std::string suggest(std::string_view word, const Range& candidates) {
    return suggestions_left_-- > 0 ? did_you_mean(word, candidates) : std::string();
  }

  size_t count() const { return errors_.size(); }
  bool ok() const { return errors_.empty(); }
  // Code::data with one `file:line:column: message` a line; ok when there are none.
  Status status() const;

 private:
  std::string file_;
  std::map<std::pair<Position, std::string>, std::string> errors_;  // (place, message) → suggestion
  int suggestions_left_ = 100;
};

}  // namespace reloadlab::sim
