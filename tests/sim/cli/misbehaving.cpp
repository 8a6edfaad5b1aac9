// `reloadlab` with candidates that leave the path: naughty@crash, @abort, @throw, @loop and @exit do so in their first prepare;
// naughty@inplace behaves: loads go straight into the live tensors. Each copy of this program is its own worker.
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include "sim/candidate/candidate.h"
#include "sim/cli/program.h"

namespace reloadlab::tests {
namespace {

class Naughty : public sim::Reloader {
 public:
  explicit Naughty(std::string way) : way_(std::move(way)) {}
  Status record(model::Model&) override { return {}; }
  Status finish(model::Model&, const sim::FinishConfig&) override { return {}; }
  Status prepare(model::Model&) override {
    if (way_ == "crash") std::raise(SIGSEGV);
    if (way_ == "abort") std::abort();
    if (way_ == "exit") std::_Exit(7);
    if (way_ == "throw") throw std::runtime_error("boom");
    if (way_ == "loop")
      for (;;) ::pause();
    return {};
  }

 private:
  const std::string way_;
};

Result<sim::CandidateInfo> make(const std::string& spelling) {
  const std::string way = spelling.substr(spelling.find('@') + 1);
  sim::CandidateInfo info{.name = "naughty@" + way, .system = "layerwise"};
  info.make_reloader = [way](const sim::CandidateContext&) -> Result<std::unique_ptr<sim::Reloader>> {
    return std::unique_ptr<sim::Reloader>(std::make_unique<Naughty>(way));
  };
  return info;
}

}  // namespace
}  // namespace reloadlab::tests

int main(int argc, char** argv) {
  reloadlab::sim::register_candidate("naughty", reloadlab::tests::make);
  return reloadlab::sim::run_program(argc, argv, reloadlab::sim::built_in_engine());
}
