#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "sim/evidence/store.h"
#include "tests/sim/evidence/sample.h"

namespace reloadlab::sim {
namespace {

using Json = nlohmann::json;

std::span<const std::byte> bytes_of(const std::vector<uint8_t>& octets) { return std::as_bytes(std::span(octets)); }

// What reading says about the sample with one place changed.
template <class T>
std::string with(const char* pointer, T&& value) {
  Json json = Json::parse(to_text(sample_evidence()));
  json[Json::json_pointer(pointer)] = std::forward<T>(value);
  const Result<Evidence> read = evidence_from_text(json.dump());
  return read.ok() ? "ok" : read.status().message();
}

TEST(Hostile, WrongTypesAndRangesAreNamedWithTheirPath) {
  EXPECT_EQ(with("/run/candidate", 3), "candidate: expected UTF-8 text");
  EXPECT_EQ(with("/run/executions/0/ranks/0/events/0/kind", "explode"), "executions/0/ranks/0/events/0/kind: expected a known name");
  EXPECT_EQ(with("/run/executions/0/ranks/0/events/0/step", 1e3), "executions/0/ranks/0/events/0/step: expected an integer");
  EXPECT_EQ(with("/run/executions/0/ranks/0/events/0/step", int64_t{1} << 40),
            "executions/0/ranks/0/events/0/step: expected an integer in range");
  EXPECT_EQ(with("/run/executions/0/ranks/0/censuses/0/entries/0/content", 3),
            "executions/0/ranks/0/censuses/0/entries/0/content: expected the index of a blob");
  EXPECT_EQ(with("/run/executions/0/ranks/0/censuses/0/entries/0/host", "zero"),
            "executions/0/ranks/0/censuses/0/entries/0/host: expected a number");
  EXPECT_EQ(with("/run/executions/0/ranks/0/outcomes/0/status", "fine"),
            "executions/0/ranks/0/outcomes/0/status: expected a failure's code and message");
  EXPECT_EQ(with("/run/executions/0/ranks/0/outcomes/0/status/code", "ok"),
            "executions/0/ranks/0/outcomes/0/status: expected a failure's code and message");
  EXPECT_EQ(with("/run/case/checkpoints/0", Json::array({"B"})), "case/checkpoints/0: expected a pair");
  EXPECT_EQ(with("/run/layers", "fc"), "layers: expected a list");
  EXPECT_EQ(with("/run/declared", 1), "declared: expected an object");
  EXPECT_EQ(with("/run/extra", 1), "evidence: expected only known keys");
  EXPECT_EQ(with("/blobs/0", "A"), "blobs/0: expected bytes");
  EXPECT_EQ(with("/blobs/1", 1), "blobs/1: expected bytes");
  EXPECT_EQ(with("/evidence", 1), "stored evidence of another version; this program reads version 4");
  EXPECT_EQ(with("/more", 2), "this is no stored evidence");
}

TEST(Hostile, WhatLawsRelyOnIsChecked) {
  EXPECT_EQ(with("/run/case/ranks", 0), "case: a number of ranks out of range");
  EXPECT_EQ(with("/run/case/ranks", 2), "plan: another number of ranks than the case");
  EXPECT_EQ(with("/run/executions/0/ranks", Json::array()), "fault copy_back 2: another number of ranks than the case");
  EXPECT_EQ(with("/run/executions/0/stopped_in", 1), "fault copy_back 2: stopped in a step that does not exist");
  const std::string run = "fault copy_back 2, rank 0";
  EXPECT_EQ(with("/run/executions/0/ranks/0/events/0/layer", 1), run + ": an event that names a step, layer or load that does not exist");
  EXPECT_EQ(with("/run/executions/0/ranks/0/events/0/load", -2), run + ": an event that names a step, layer or load that does not exist");
  EXPECT_EQ(with("/run/executions/0/ranks/0/censuses/0/step", 9), run + ": a census after a step that does not exist");
  EXPECT_EQ(with("/run/executions/0/ranks/0/outcomes/0/step", -2), run + ": an outcome of a step that does not exist");
  EXPECT_EQ(with("/run/executions/0/ranks/0/coverage/0/step", 1), run + ": a coverage report at a step that does not exist");
  EXPECT_EQ(with("/run/executions/0/ranks/0/at_post_load/0/shape", Json{2}), run + ": a malformed entry of fc.weight");
  const char* entry = "/run/executions/0/ranks/0/censuses/0/entries/0";
  const auto at = [&](const char* key) { return std::string(entry) + key; };
  EXPECT_EQ(with(at("/shape").c_str(), Json{-1}), run + " fc.weight: a shape that no tensor has");
  EXPECT_EQ(with(at("/shape").c_str(), Json{int64_t{1} << 40, int64_t{1} << 40}), run + " fc.weight: a shape that no tensor has");
  EXPECT_EQ(with(at("/shape").c_str(), Json{3}), run + " fc.weight: content of another size than its shape and dtype");
  EXPECT_EQ(with(at("/strides").c_str(), Json::array()), run + " fc.weight: strides that do not match the shape");
  EXPECT_EQ(with(at("/strides").c_str(), Json{int64_t{1} << 62}), run + " fc.weight: strides that reach too far");
  EXPECT_EQ(with(at("/offset").c_str(), -1), run + " fc.weight: an offset out of range");
  EXPECT_EQ(with("/run/plan/0/loads/0/placements/0/target", Json::array()), "plan/0: a malformed placement of d");
  EXPECT_EQ(with("/run/plan/0/loads/0/placements/0/source", Json{-1}), "plan/0: a malformed placement of d");
  EXPECT_EQ(with("/run/plan/0/loads/0/placements/0/source", Json{2}), "plan/0: a placement outside d");
  EXPECT_EQ(with("/run/plan/0/loads/0/index", -2), "plan/0: a load at a negative place");
  EXPECT_EQ(with("/run/deliveries/0/shape", Json{4, 1}), "plan/0: a placement of d with other dimensions");
  EXPECT_EQ(with("/run/deliveries/0/shape", Json{-4}), "deliveries: a shape that no tensor has");
}

TEST(Hostile, UnusualButLegalEvidenceIsRead) {
  const std::string entry = "/run/executions/0/ranks/0/censuses/0/entries/0";
  EXPECT_EQ(with((entry + "/strides").c_str(), Json{0}), "ok");  // expanded
  EXPECT_EQ(with((entry + "/offset").c_str(), int64_t{1} << 40), "ok");
  EXPECT_EQ(with("/run/executions/0/ranks/0/events/0/step", -1), "ok");
  EXPECT_EQ(with("/run/plan/0/loads/0/index", -1), "ok");
}

TEST(Hostile, DepthIsBoundedBeforeAnythingIsBuilt) {
  const std::vector<uint8_t> deep(1 << 22, 0x81);  // lists in lists in lists
  EXPECT_EQ(evidence_from_cbor(bytes_of(deep)).status().message(), "malformed, or nested too deeply");
  EXPECT_EQ(evidence_from_text(std::string(1 << 22, '[')).status().message(), "malformed, or nested too deeply");
}

TEST(Hostile, SizesThatTheInputCannotHoldAreRefused) {
  const std::vector<uint8_t> huge_list = {0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  const std::vector<uint8_t> huge_bytes = {0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  for (const auto& input : {huge_list, huge_bytes, std::vector<uint8_t>()}) EXPECT_FALSE(evidence_from_cbor(bytes_of(input)).ok());
}

RC_GTEST_PROP(Hostile, MutatedCborIsReadOrRefusedButNeverMore, ()) {
  std::vector<uint8_t> cbor = to_cbor(sample_evidence());
  const int changes = *rc::gen::inRange(1, 6);
  for (int i = 0; i < changes; ++i) {
    const size_t at = *rc::gen::inRange<size_t>(0, cbor.size());
    switch (*rc::gen::inRange(0, 3)) {
      case 0:
        cbor[at] = *rc::gen::arbitrary<uint8_t>();
        break;
      case 1:
        cbor.erase(cbor.begin() + static_cast<int64_t>(at));
        break;
      default:
        cbor.insert(cbor.begin() + static_cast<int64_t>(at), *rc::gen::arbitrary<uint8_t>());
    }
  }
  const Result<Evidence> read = evidence_from_cbor(bytes_of(cbor));
  if (read.ok()) RC_ASSERT(evidence_from_cbor(bytes_of(to_cbor(*read))).ok());
  if (!read.ok()) RC_ASSERT(read.status().code() == Code::data && !read.status().message().empty());
}

// A leaf of the document replaced by something of another kind or size.
RC_GTEST_PROP(Hostile, MutatedFieldsAreReadOrRefusedButNeverMore, ()) {
  const Json flat = Json::parse(to_text(sample_evidence())).flatten();
  const size_t leaf = *rc::gen::inRange<size_t>(0, flat.size());
  const Json values[] = {nullptr,        true,          -1, int64_t{1} << 60, 18446744073709551615ull, 0.5, "x", Json::array(),
                         Json::object(), Json{{"a", 1}}};
  Json changed = flat;
  auto item = changed.begin();
  std::advance(item, static_cast<int64_t>(leaf));
  Json document = Json::parse(to_text(sample_evidence()));
  document[Json::json_pointer(item.key())] = values[*rc::gen::inRange<size_t>(0, std::size(values))];
  const Result<Evidence> read = evidence_from_text(document.dump());
  if (read.ok()) RC_ASSERT(evidence_from_text(to_text(*read)).ok());
}

}  // namespace
}  // namespace reloadlab::sim
