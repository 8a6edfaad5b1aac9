// The test program is its own worker, as the real program is, and a rank of a launch.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "sim/campaign/launched.h"
#include "sim/campaign/worker.h"
#include "tests/sim/campaign/fake_engine.h"
#include "tests/sim/campaign/file_board.h"

namespace reloadlab::tests {
namespace {

// keep FOLDER RANK RANKS
int keep(char** arguments) {
  FileBoard board(arguments[2]);
  const sim::Launch launch{.rank = std::stoi(arguments[3]), .ranks = std::stoi(arguments[4])};
  return sim::keep_worker(board, {.launch = launch,
                                  .device = launch.rank,
                                  .command = {"/proc/self/exe", "worker"},
                                  .silence_seconds = 4,
                                  .come_within = 5,
                                  .peer_patience = 3});
}

}  // namespace
}  // namespace reloadlab::tests

int main(int argc, char** argv) {
  using namespace reloadlab;
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "worker") return sim::serve_jobs(sim::kWorkerSocket, tests::fake_engine());
  if (command == "keep" && argc == 5) return tests::keep(argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
