#pragma once
// A folder with scenario files, and campaigns over it with the fake engine.
#include <gtest/gtest.h>

#include <filesystem>

#include "sim/campaign/campaign.h"
#include "tests/sim/campaign/fake_engine.h"

namespace reloadlab::tests {

std::string read_file(const std::filesystem::path& path);

class CampaignTest : public testing::Test {
 protected:
  CampaignTest();
  ~CampaignTest() override;
  // Writes scenarios/layerwise/<name>.yaml, and text below the folder.
  void scenario(const std::string& name, const std::string& about = "What LW5 is about.", const std::string& tag = "smoke");
  void write(const std::string& path, const std::string& text);
  // Runs scenarios/ with these candidates; REQUIRES that it runs at all.
  sim::RunResult run(const std::vector<std::string>& candidates);
  Result<sim::RunResult> try_run(const std::vector<std::string>& candidates);
  // The state of the law in the case's result; fails the test when there is none.
  sim::LawResult law_of(const sim::RunResult& run, const std::string& candidate, const std::string& law,
                        const std::string& variant = "ranks=1");
  std::string screen() const;  // what people saw in the last run

  const std::filesystem::path folder;
  sim::Engine engine = fake_engine();
  sim::CampaignOptions options;
};

}  // namespace reloadlab::tests
