// The test in printed.cpp is what campaigns print; that it is built and holds is seen beside this one.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "sim/fuzz/test_body.h"

namespace reloadlab::sim::fuzz {
namespace {

constexpr const char* kScenario = R"yaml(reloadlab: 1
scenario: written_once-reload-parameter
about: "Drawn, and made small."
system: layerwise
model:
  layers:
    - {name: norm, kind: norm, hidden: 4}
checkpoints:
  A: {synthetic: 1}
  B: {synthetic: 2}
steps:
  - load: A
  - reload: B
)yaml";

TEST(Printed, IsTheTestBesideThis) {
  const Entry entry{.candidate = "layerwise@hardened", .cause = {"written_once", "warm", "reload", "parameter"}, .scenario = kScenario};
  std::ifstream in(RELOADLAB_SOURCE_DIR "/tests/sim/fuzz/printed.cpp", std::ios::binary);
  const std::string file(std::istreambuf_iterator<char>(in), {});
  const size_t begin = file.find("// #include");
  ASSERT_NE(begin, std::string::npos);
  EXPECT_EQ(file.substr(begin), test_body(entry));
}

}  // namespace
}  // namespace reloadlab::sim::fuzz
