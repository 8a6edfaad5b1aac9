#include "sim/fuzz/test_body.h"

#include <fmt/format.h>

#include <cctype>

namespace reloadlab::sim::fuzz {
namespace {

// "written_once-reload-parameter-1f0c22d1" as "WrittenOnceReloadParameter1f0c22d1".
std::string test_name(const std::string& stem) {
  std::string name;
  bool begins = true;
  for (const char letter : stem) {
    const bool plain = std::isalnum(static_cast<unsigned char>(letter)) != 0;
    if (plain) name += begins ? static_cast<char>(std::toupper(static_cast<unsigned char>(letter))) : letter;
    begins = !plain;
  }
  return name;
}

}  // namespace

std::string test_body(const Entry& entry) {
  return fmt::format(R"body(// #include "sim/campaign/attempt.h" and "sim/scenario/scenario.h"; link with reloadlab_engine.
TEST(Drawn, {}) {{
  const auto engine = reloadlab::sim::built_in_engine();
  const auto cases = reloadlab::sim::parse_scenario(R"yaml({})yaml", "drawn.yaml", {{.known_laws = engine.law_ids()}});
  ASSERT_TRUE(cases.ok()) << cases.status().message();
  const auto answer = reloadlab::sim::attempt({{.the_case = cases->front(), .candidate = "{}"}}, engine);
  EXPECT_EQ(answer.result.end, reloadlab::sim::End::judged) << answer.result.reason;
  using reloadlab::sim::State;
  for (const auto& law : answer.result.laws) EXPECT_TRUE(law.state != State::fail && law.state != State::hang) << law.law;
}}
)body",
                     test_name(stem_of(entry)), entry.scenario, entry.candidate);
}

}  // namespace reloadlab::sim::fuzz
