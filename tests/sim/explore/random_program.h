#pragma once
// Small programs drawn at random, racy for the most part: two hosts with two streams each and three cells, on which hosts issue reads,
// writes, records, waits and collectives, wait and ask, and share a key.
#include "sim/world/modelled/hosts.h"
#include "tests/sim/explore/mini.h"

namespace reloadlab::sim::explore {

struct Operation {
  enum class Kind { write, read, record, wait, host_wait, ask, meet, share, fault };
  Kind kind = Kind::write;
  size_t stream = 0, cell = 0, other = 0;
  bool peer = false;  // on the other host's device
};

struct RandomProgram {
  static constexpr size_t cells = 3, hosts = 2, streams = 2;
  std::vector<std::vector<Operation>> operations;  // by host
  int concurrent_collectives = 0;

  // Of meetings for the most part, on devices with one place for them, or of everything.
  bool chooses() const {
    auto is_fault = [](const Operation& operation) { return operation.kind == Operation::Kind::fault; };
    return std::ranges::any_of(operations, [&](const auto& list) { return std::ranges::any_of(list, is_fault); });
  }
  static RandomProgram meetings(uint64_t seed, size_t length) { return RandomProgram(seed, length, true); }

  RandomProgram(uint64_t seed, size_t length, bool meets = false) {
    Prng prng = Prng(seed).split("program");
    using Kind = Operation::Kind;
    std::vector<Kind> kinds = {Kind::write, Kind::write,     Kind::write, Kind::read, Kind::read,  Kind::record,
                               Kind::wait,  Kind::host_wait, Kind::ask,   Kind::meet, Kind::share, Kind::fault};
    if (meets) kinds = {Kind::meet, Kind::meet, Kind::meet, Kind::write, Kind::record, Kind::wait};
    operations.resize(hosts);
    concurrent_collectives = meets ? 1 : static_cast<int>(prng.below(2));
    for (auto& list : operations)
      for (size_t i = 0; i < length; ++i)
        list.push_back({kinds[prng.below(kinds.size())], prng.below(streams), prng.below(cells), prng.below(cells), prng.below(5) == 0});
  }
};

// Plays one host's operations. What a host learns goes into what it issues next.
class Player {
 public:
  Player(const RandomProgram& program, modelled::Machine& machine, CellsPtr cells) : program_(program), machine_(machine), cells_(cells) {}

  void play(size_t host) {
    modelled::PointPtr last;  // this host's last record
    for (size_t i = 0; i < program_.operations[host].size(); ++i) {
      const Operation& operation = program_.operations[host][i];
      size_t number = host * 100 + i;
      modelled::Stream& stream =
          machine_.stream(static_cast<int>(operation.peer ? 1 - host : host), static_cast<int64_t>(operation.stream));
      using Kind = Operation::Kind;
      switch (operation.kind) {
        case Kind::write:
          machine_.issue(stream, write_cell(cells_, number, operation.cell, operation.other));
          break;
        case Kind::read:
          machine_.issue(stream, read_cell(cells_, number, operation.cell));
          break;
        case Kind::record:
          last = machine_.record(stream, "an event");
          break;
        case Kind::wait:
          if (last) machine_.wait(stream, last);
          break;
        case Kind::host_wait:
          if (last) machine_.host_wait(last);
          break;
        case Kind::ask:
          if (last && machine_.host_query(last)) machine_.issue(stream, write_cell(cells_, 1000 + number, operation.cell, operation.other));
          break;
        case Kind::meet:
          meet(host, operation);
          break;
        case Kind::share:
          share(number);
          break;
        case Kind::fault:
          if (machine_.choose(modelled::ChoiceKind::fault, 2) == 1)
            machine_.issue(stream, write_cell(cells_, 2000 + number, operation.cell, operation.other));
          break;
      }
    }
  }

 private:
  // The hosts' k-th meeting on the channel of its stream. Hosts that meet in another order block each other, or never end.
  void meet(size_t host, const Operation& operation) {
    size_t channel = operation.stream;
    auto& list = meetings_[channel];
    size_t number = met_[channel][host]++;
    if (number == list.size()) {
      list.push_back(std::make_shared<modelled::Collective>());
      list.back()->name = modelled::named(fmt::format("meeting {} on {}", number, channel));
      list.back()->seats.resize(RandomProgram::hosts);
      list.back()->run = [] {};
    }
    auto& collective = list[number];
    collective->seats[host].accesses = {cells_->access(channel, false)};
    modelled::Part part{.collective = collective, .index = host, .done = std::make_shared<modelled::Point>(), .issue_again = {}};
    part.done->name = collective->name;
    machine_.issue(machine_.stream(static_cast<int>(host), static_cast<int64_t>(channel)), part);
  }
  void share(size_t number) {
    machine_.host_access("shared", true);
    shared_ = mix64(shared_ ^ number);
    cells_->reads[number] = shared_;
  }

  const RandomProgram& program_;
  modelled::Machine& machine_;
  CellsPtr cells_;
  std::map<size_t, std::vector<std::shared_ptr<modelled::Collective>>> meetings_;
  std::map<size_t, std::map<size_t, size_t>> met_;
  uint64_t shared_ = 0;
};

inline Program program_of(const RandomProgram& random) {
  return [random](std::unique_ptr<modelled::Chooser> chooser) {
    modelled::Machine machine({.ranks = RandomProgram::hosts, .concurrent_collectives = random.concurrent_collectives}, std::move(chooser));
    auto cells = std::make_shared<Cells>();
    cells->values = {11, 22, 33};
    cells->reads.assign(200, 0);
    for (int host = 0; host < int(RandomProgram::hosts); ++host) machine.new_stream(host);
    Player player(random, machine, cells);
    modelled::RunReport report = machine.run([&](int rank) { player.play(size_t(rank)); });
    return ended(machine, cells, report.stopped);
  };
}

}  // namespace reloadlab::sim::explore
