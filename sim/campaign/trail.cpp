#include "sim/campaign/trail.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "sim/evidence/enums.h"
#include "sim/evidence/text.h"

namespace reloadlab::sim {
namespace {

constexpr char field_end = '\t';

std::string_view cut(std::string_view& line) {
  const size_t end = std::min(line.find(field_end), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

template <class Number>
bool cut_number(std::string_view& line, Number& number) {
  const std::string_view word = cut(line);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc() && end == word.data() + word.size();
}

std::optional<Event> parse_event(std::string_view line) {
  const auto kind = archive::enum_from_name<EventKind>(cut(line));
  if (!kind) return std::nullopt;
  Event event{.kind = *kind};
  const bool whole = cut_number(line, event.step) && cut_number(line, event.load) && cut_number(line, event.layer) &&
                     cut_number(line, event.numel) && cut_number(line, event.value);
  if (!whole) return std::nullopt;
  event.text = valid_utf8(line);
  return event;
}

}  // namespace

void TrailWriter::restart() {
  if (::ftruncate(file_, 0) == 0) ::lseek(file_, 0, SEEK_SET);
}

void TrailWriter::add(std::string_view execution, const Event& event) {
  std::string line = fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}", execution, archive::enum_name(event.kind), event.step, event.load,
                                 event.layer, event.numel, event.value, event.text);
  std::ranges::replace(line, '\n', ' ');
  line += '\n';
  // Where there is no room left the trail ends; the evidence that the rank sends itself does not.
  if (::write(file_, line.data(), line.size()) < 0) file_ = -1;
}

int open_trail() { return ::memfd_create("reloadlab_trail", MFD_CLOEXEC); }

std::string read_trail(int file) {
  std::string text;
  std::array<char, 1 << 16> chunk;
  for (;;) {
    const ssize_t got = ::pread(file, chunk.data(), chunk.size(), static_cast<off_t>(text.size()));
    if (got <= 0) return text;
    text.append(chunk.data(), static_cast<size_t>(got));
  }
}

std::vector<Event> trail_events(std::string_view text, std::string_view execution) {
  std::vector<Event> events;
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    const bool meant = cut(line) == execution;
    std::optional<Event> event = parse_event(line);
    if (!event) break;
    if (meant && event->kind != EventKind::read) events.push_back(*std::move(event));
  }
  return events;
}

}  // namespace reloadlab::sim
