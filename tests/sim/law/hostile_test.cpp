// Laws judge evidence that a worker process sent. Whatever passes validation, they must come to a verdict.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "sim/evidence/store.h"
#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

using Json = nlohmann::json;

// A run with a bit of everything that laws look at.
const Json& sample() {
  static const Json document = [] {
    Fixture fixture(2);
    fixture.plan().states[kToB].partial = true;
    fixture.plan().missing = {{kToB, "norm", "weight", 2}};
    fixture.warm().ranks[0].coverage = {{CoverageReport::Kind::missing, kToB, "norm", "weight"}};
    Execution& digit = fixture.run(Variation::Kind::digit);
    const CensusEntry& weight = fixture.entry(digit, kToB, "fc.weight");
    digit.ranks[0].at_post_load = {{kToB, "fc.weight", weight.shape, weight.dtype, weight.content}};
    for (int step : {kLoadA, kToA}) fixture.outcome(step).output = weight.content;
    return Json::parse(to_text(fixture.evidence));
  }();
  return document;
}

// Where its strings, numbers and flags are.
const std::vector<std::string>& leaves() {
  static const std::vector<std::string> pointers = [] {
    std::vector<std::string> found;
    const Json flat = sample().flatten();
    for (const auto& [pointer, value] : flat.items())
      if (!value.is_null()) found.push_back(pointer);
    return found;
  }();
  return pointers;
}

Json replacement(const Json& leaf) {
  if (leaf.is_number_integer()) return *rc::gen::element<int64_t>(-2, -1, 0, 1, 2, 3, 7, 100, int64_t{1} << 33);
  if (leaf.is_boolean()) return !leaf.get<bool>();
  return *rc::gen::element<std::string>("", "fc", "weight", "A", "B", "error", "reload", "finish", "prepare", "abort", "buffer", "f32",
                                        "i64", "u8", "none", "cold", "warm", "write_kernel", "post_load_begin", "backup", "reject", "AAAA",
                                        "x");
}

RC_GTEST_PROP(Hostile, EveryLawJudgesWhateverPassesValidation, ()) {
  Json changed = sample();
  const int changes = *rc::gen::inRange(1, 8);
  for (int i = 0; i < changes; ++i) {
    Json& leaf = changed[Json::json_pointer(*rc::gen::elementOf(leaves()))];
    leaf = replacement(leaf);
  }
  const Result<Evidence> read = evidence_from_text(changed.dump());
  RC_TAG(read.ok() ? "judged" : "refused");
  if (!read.ok()) return;
  for (const Verdict& verdict : judge(*read)) RC_ASSERT(verdict.outcome != Outcome::fail || verdict.finding.has_value());
}

}  // namespace
}  // namespace reloadlab::sim
