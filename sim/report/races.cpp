#include "sim/report/races.h"

#include <fmt/format.h>

#include <sstream>

#include "sim/evidence/text.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

// A word that a shell is to get as a whole: where it is longer than a line, in lines that end in a backslash but for the last one.
std::string continued(const std::string& head, std::string_view text, size_t width) {
  if (head.size() + text.size() <= width) return fmt::format("{}{}\n", head, text);
  std::string out = head + "\\\n";
  for (; text.size() > width; text.remove_prefix(width - 1)) out += fmt::format("{}\\\n", text.substr(0, width - 1));
  return fmt::format("{}{}\n", out, text);
}

class RaceText {
 public:
  RaceText(const TracedRace& race, size_t line) : race_(race), line_(line), width_((line - 16) / 2) {}

  std::string text() const {
    const auto does = [](const TracedStep& step, bool writes) { return fmt::format("{} {}", step.operation, writes ? "writes" : "reads"); };
    std::string out = row(race_.first.stream, fmt::format("!{}", race_.number), race_.second.stream);
    out += row(does(race_.first, race_.first_writes), "--- ? -->", does(race_.second, race_.second_writes));
    out += row(race_.first.about, "no edge", race_.second.about);
    if (race_.witness.empty()) return out + wrapped("  no schedule is kept in which they change places", line_);
    return out + wrapped(fmt::format("  {}:", in_both_orders(race_.witness, race_.reader)), line_) +
           continued("  --schedule ", race_.schedule, line_);
  }

 private:
  std::string row(const std::string& left, std::string_view between, const std::string& right) const {
    std::istringstream lefts(wrapped(left, width_)), rights(wrapped(right, width_));
    std::string out, one, other;
    for (bool more = true; more; between = "") {
      one.clear(), other.clear();
      more = static_cast<bool>(std::getline(lefts, one)) | static_cast<bool>(std::getline(rights, other));
      if (!more) break;
      out += fmt::format("  {} {:^9} {}", padded(one, width_), between, other);
      out.erase(out.find_last_not_of(' ') + 1) += '\n';
    }
    return out;
  }

  const TracedRace& race_;
  size_t line_, width_;
};

}  // namespace

std::string races_text(const TracedExecution& execution, const ViewOptions& options) {
  const auto is_shown = [&](const TracedRace& race) {
    const bool in_step = options.step < 0 || race.first.step == options.step || race.second.step == options.step;
    return in_step && options.has_rank(race.rank);
  };
  std::string out;
  for (const TracedRace& race : execution.races)
    if (is_shown(race)) out += RaceText(race, options.width).text() + "\n";
  return out;
}

}  // namespace reloadlab::sim
