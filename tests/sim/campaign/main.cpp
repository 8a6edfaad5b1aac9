// The test program is its own worker, as the real program is.
#include <gtest/gtest.h>

#include <string_view>

#include "sim/campaign/worker.h"
#include "tests/sim/campaign/fake_engine.h"

int main(int argc, char** argv) {
  using namespace reloadlab;
  if (argc > 1 && std::string_view(argv[1]) == "worker") return sim::serve_jobs(sim::kWorkerSocket, tests::fake_engine());
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
