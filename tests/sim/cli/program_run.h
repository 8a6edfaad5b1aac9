#pragma once
// Runs a built program in a folder of its own, as a person would.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace reloadlab::tests {

struct Ran {
  int exit_code = -1;
  std::string out, err;
};

inline constexpr const char* kRing = R"(
reloadlab: 1
scenario: ring
about: A pass over three layers.
system: shared_series
world: {kind: sim, ranks: [2]}
model:
  layers:
    - {name: "blocks.{0..2}.o", kind: replicated_linear, in: 4, out: 4}
series:
  - {name: o, layers: "blocks.{0..2}.o"}
checkpoints: {A: {synthetic: 1}}
steps:
  - load: A
  - pass: {}
)";

class ProgramTest : public testing::Test {
 protected:
  ProgramTest();
  ~ProgramTest() override;
  void write(const std::string& path, const std::string& text);
  std::string read(const std::string& path) const;
  // One layer, two checkpoints, ranks 1 and 2.
  void small_scenario();
  // result.json of the run whose folder the program printed.
  std::string result_text(const Ran& ran) const;
  // `arguments` as a shell reads them.
  Ran reloadlab(const std::string& arguments) const;
  Ran naughty(const std::string& arguments) const;
  // A bash script, to which they are $RELOADLAB and $NAUGHTY.
  Ran script(const std::string& lines);
  // With variables in its environment: "A=1 B=2".
  Ran reloadlab_with(const std::string& variables, const std::string& arguments) const;
  // With standard output on that path instead of where it can be read.
  Ran reloadlab_onto(const std::string& path, const std::string& arguments) const;
  // On a disk that takes no file above so many KiB.
  Ran reloadlab_within(int kib, const std::string& arguments) const;

  const std::filesystem::path folder;

 private:
  Ran run(const std::string& program, const std::string& arguments, const std::string& out = ".out") const;
};

}  // namespace reloadlab::tests
