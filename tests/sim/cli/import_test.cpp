#include "tests/sim/cli/program_run.h"
#include "tests/sim/import/model_folder.h"

namespace reloadlab::tests {
namespace {

class Importing : public ProgramTest {
 protected:
  void model(const sim::Shapes& tensors) {
    write("small/config.json", sim::llama_config());
    write("small/model.safetensors", sim::tensor_file(tensors));
  }
};

TEST_F(Importing, WritesAScenarioThatHolds) {
  model(sim::llama_tensors());
  const Ran import = reloadlab("import small --out scenarios/small.yaml");
  EXPECT_NE(import.exit_code, 0) << "there is no folder scenarios";
  std::filesystem::create_directories(folder / "scenarios");
  const Ran again = reloadlab("import small --out scenarios/small.yaml");
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.out, "scenarios/small.yaml\n");
  EXPECT_EQ(read("scenarios/small.yaml"), reloadlab("import small").out);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder / "scenarios"), {}), 1) << "no temporary file is left";
  const Ran run = reloadlab("run scenarios --candidate layerwise@hardened");
  EXPECT_EQ(run.exit_code, 0) << run.err;
}

TEST_F(Importing, OfWhatDoesNotFitIs65AndWritesNothing) {
  sim::Shapes tensors = sim::llama_tensors();
  tensors.pop_back();
  model(tensors);
  const Ran import = reloadlab("import small --out small.yaml");
  EXPECT_EQ(import.exit_code, 65);
  EXPECT_EQ(import.out, "");
  EXPECT_NE(import.err.find("no tensor \"lm_head.weight\", expected bf16 [10, 4]"), std::string::npos) << import.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "small.yaml"));
  EXPECT_EQ(reloadlab("import nowhere").exit_code, 64);
  EXPECT_EQ(reloadlab("import").exit_code, 64);
}

}  // namespace
}  // namespace reloadlab::tests
