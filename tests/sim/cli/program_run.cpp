#include "tests/sim/cli/program_run.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace reloadlab::tests {

namespace fs = std::filesystem;

ProgramTest::ProgramTest() : folder(fs::path(testing::TempDir()) / fmt::format("reloadlab_cli_{}", ::getpid())) {
  fs::remove_all(folder);
  fs::create_directories(folder);
}

ProgramTest::~ProgramTest() { fs::remove_all(folder); }

void ProgramTest::write(const std::string& path, const std::string& text) {
  fs::create_directories((folder / path).parent_path());
  std::ofstream(folder / path, std::ios::binary) << text;
}

std::string ProgramTest::read(const std::string& path) const {
  std::ifstream in(folder / path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void ProgramTest::small_scenario() {
  write("scenarios/layerwise/small.yaml",
        "reloadlab: 1\nscenario: small\nabout: One layer. LW6.\nsystem: layerwise\ntags: [smoke]\nworld: {kind: cpu, ranks: [1, 2]}\n"
        "model:\n  dtype: f32\n  layers:\n    - {name: up, kind: column_parallel_linear, in: 4, out: 6}\n"
        "checkpoints: {A: {synthetic: 1}, B: {synthetic: 2}}\nsteps:\n  - load: A\n  - reload: B\n  - reload: A\n");
}

std::string ProgramTest::result_text(const Ran& ran) const { return read(ran.out.substr(0, ran.out.find('\n')) + "/result.json"); }

Ran ProgramTest::run(const std::string& program, const std::string& arguments, const std::string& out) const {
  const std::string command = fmt::format("cd '{}' && '{}' {} >'{}' 2>'{}' </dev/null", folder.string(), program, arguments,
                                          (folder / out).string(), (folder / ".err").string());
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read(".out"), read(".err")};
}

Ran ProgramTest::reloadlab(const std::string& arguments) const { return run(RELOADLAB_PROGRAM, arguments); }
Ran ProgramTest::reloadlab_with(const std::string& variables, const std::string& arguments) const {
  return run("env", fmt::format("{} '{}' {}", variables, RELOADLAB_PROGRAM, arguments));
}
Ran ProgramTest::reloadlab_onto(const std::string& path, const std::string& arguments) const {
  return run(RELOADLAB_PROGRAM, arguments, path);
}
Ran ProgramTest::reloadlab_within(int kib, const std::string& arguments) const {
  return run("bash", fmt::format("-c 'trap \"\" XFSZ; ulimit -f {}; exec \"$@\"' - '{}' {}", kib, RELOADLAB_PROGRAM, arguments));
}
Ran ProgramTest::script(const std::string& lines) {
  write("script", lines);
  return run("env", fmt::format("RELOADLAB='{}' NAUGHTY='{}' bash script", RELOADLAB_PROGRAM, NAUGHTY_PROGRAM));
}
Ran ProgramTest::naughty(const std::string& arguments) const { return run(NAUGHTY_PROGRAM, arguments); }

}  // namespace reloadlab::tests
