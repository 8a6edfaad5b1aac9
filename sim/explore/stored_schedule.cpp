#include "sim/explore/stored_schedule.h"

#include <fmt/format.h>

#include <charconv>

#include "reference/base/prng.h"

namespace reloadlab::sim::explore {
namespace {

using modelled::ChoiceKind;
using modelled::Chooser;
using modelled::Option;

constexpr std::string_view version = "s1";

uint64_t digest_of(const Execution& run) {
  uint64_t digest = 0;
  for (const Decision& decision : run.decisions)
    digest = mix64(digest ^ (static_cast<uint64_t>(decision.width()) << 8) ^ static_cast<uint64_t>(decision.kind));
  return digest;
}

// Follows what is stored for as long as there are such options, and then takes the first ones.
class Lenient final : public Chooser {
 public:
  Lenient(const modelled::Schedule& schedule, std::string& refusal) : schedule_(schedule), refusal_(refusal) {}
  size_t choose(ChoiceKind kind, std::span<const Option> options) override {
    size_t choice = next_++;
    if (refusal_.empty() && choice >= schedule_.size()) refusal_ = fmt::format("it has {} choices, and the program more", schedule_.size());
    if (refusal_.empty() && schedule_[choice] >= options.size())
      refusal_ = fmt::format("choice {} takes option {} of {}", choice, schedule_[choice], options.size());
    if (refusal_.empty()) return schedule_[choice];
    return kind == ChoiceKind::next ? stop : 0;
  }

 private:
  modelled::Schedule schedule_;
  std::string& refusal_;
  size_t next_ = 0;
};

template <class T>
bool read_number(std::string_view& text, T& value, int base = 10) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

constexpr size_t choices_max = 10'000'000;

bool read_choices(std::string_view& text, modelled::Schedule& choices) {
  if (text.starts_with('-')) return true;
  do {
    uint32_t option = 0;
    size_t times = 1;
    if (!read_number(text, option)) return false;
    if (take(text, "x") && !read_number(text, times)) return false;
    if (times == 0 || times > choices_max - choices.size()) return false;
    choices.insert(choices.end(), times, option);
  } while (take(text, ","));
  return true;
}

Status refused(const std::string& why) { return {Code::data, "the schedule is of another program: " + why}; }

}  // namespace

StoredSchedule stored(const Execution& run) { return {run.schedule(), digest_of(run)}; }

std::string print_schedule(const StoredSchedule& schedule) {
  std::string text = fmt::format("{}-", version);
  const modelled::Schedule& choices = schedule.choices;
  for (size_t begin = 0, end = 0; begin < choices.size(); begin = end) {
    while (end < choices.size() && choices[end] == choices[begin]) ++end;
    if (begin > 0) text += ",";
    text += end - begin == 1 ? fmt::format("{}", choices[begin]) : fmt::format("{}x{}", choices[begin], end - begin);
  }
  return text + fmt::format("-{:016x}", schedule.program);
}

Result<StoredSchedule> parse_schedule(std::string_view text) {
  const std::string_view whole = text;
  StoredSchedule schedule;
  if (!take(text, version) || !take(text, "-"))
    return Status(Code::data, fmt::format("'{}' is no schedule of version {}: it would begin with '{}-'", whole, version, version));
  bool ok = read_choices(text, schedule.choices) && take(text, "-") && text.size() == 16 && read_number(text, schedule.program, 16);
  if (!ok || !text.empty())
    return Status(Code::data, fmt::format("column {} of the schedule: expected choices as in '{}-0x12,1-' and 16 hexadecimal digits",
                                          whole.size() - text.size() + 1, version));
  return schedule;
}

Result<Execution> replay_stored(const Program& program, const StoredSchedule& schedule) {
  std::string refusal;
  Execution run = run_with(program, std::make_unique<Lenient>(schedule.choices, refusal));
  if (!refusal.empty()) return refused(refusal);
  if (run.decisions.size() != schedule.choices.size())
    return refused(fmt::format("it has {} choices, and the program {}", schedule.choices.size(), run.decisions.size()));
  if (digest_of(run) != schedule.program) return refused("as many choices, among other options");
  return run;
}

}  // namespace reloadlab::sim::explore
