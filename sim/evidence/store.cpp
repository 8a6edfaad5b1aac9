#include "sim/evidence/store.h"

#include "sim/evidence/archive.h"
#include "sim/evidence/fingerprint.h"
#include "sim/evidence/validate.h"

namespace reloadlab::sim {
namespace {

using Json = nlohmann::json;

Json to_json(const Evidence& evidence, bool binary) {
  archive::Writer writer;
  Json run = writer.put(evidence);
  Json blobs = Json::array();
  for (const BlobPtr& blob : writer.blobs) {
    if (!binary) {
      blobs.push_back(base64(blob->bytes));
      continue;
    }
    const auto* data = reinterpret_cast<const uint8_t*>(blob->bytes.data());
    blobs.push_back(Json::binary(std::vector<uint8_t>(data, data + blob->bytes.size())));
  }
  return {{"evidence", kEvidenceVersion}, {"blobs", std::move(blobs)}, {"run", std::move(run)}};
}

Result<std::vector<BlobPtr>> read_blobs(const Json& json) {
  std::vector<BlobPtr> blobs;
  for (const Json& item : json) {
    std::optional<Bytes> bytes;
    if (item.is_binary()) {
      const auto data = std::as_bytes(std::span<const uint8_t>(item.get_binary()));
      bytes.emplace(data.begin(), data.end());
    } else if (item.is_string()) {
      bytes = from_base64(item.get_ref<const std::string&>());
    }
    if (!bytes) return Status(Code::data, fmt::format("blobs/{}: expected bytes", blobs.size()));
    blobs.push_back(make_blob(*std::move(bytes)));
  }
  return blobs;
}

Result<Evidence> from_json(const Json& json) {
  if (!json.is_object() || json.size() != 3 || !json.contains("blobs") || !json.contains("run") || !json["blobs"].is_array())
    return Status(Code::data, "this is no stored evidence");
  if (json.value("evidence", Json()) != kEvidenceVersion)
    return Status(Code::data, fmt::format("stored evidence of another version; this program reads version {}", kEvidenceVersion));
  RELOADLAB_ASSIGN(std::vector<BlobPtr> blobs, read_blobs(json["blobs"]));
  archive::Reader reader(std::move(blobs));
  Evidence evidence;
  reader.get(json["run"], evidence);
  RELOADLAB_TRY(reader.status());
  RELOADLAB_TRY(validate(evidence));
  return evidence;
}

// The parser of nested binary values calls itself, so the depth is measured first, by a walk that stops where it is too deep.
class DepthGate : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(int64_t) override { return true; }
  bool number_unsigned(uint64_t) override { return true; }
  bool number_float(double, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(Json::binary_t&) override { return true; }
  bool start_object(size_t) override { return ++depth_ <= kDepth; }
  bool key(std::string&) override { return true; }
  bool end_object() override { return --depth_, true; }
  bool start_array(size_t) override { return ++depth_ <= kDepth; }
  bool end_array() override { return --depth_, true; }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  static constexpr int kDepth = 64;
  int depth_ = 0;
};

template <class Bytes>
Result<Evidence> parse(const Bytes& bytes, Json::input_format_t format) {
  try {
    DepthGate gate;
    if (!Json::sax_parse(bytes.begin(), bytes.end(), &gate, format)) return Status(Code::data, "malformed, or nested too deeply");
    const Json json =
        format == Json::input_format_t::json ? Json::parse(bytes.begin(), bytes.end()) : Json::from_cbor(bytes.begin(), bytes.end());
    return from_json(json);
  } catch (const std::exception& error) {  // the library throws for what it cannot hold (sizes, numbers out of range)
    return Status(Code::data, valid_utf8(error.what()));
  }
}

}  // namespace

std::string to_text(const Evidence& evidence) { return to_json(evidence, false).dump(); }

std::vector<uint8_t> to_cbor(const Evidence& evidence) { return Json::to_cbor(to_json(evidence, true)); }

Result<Evidence> evidence_from_text(std::string_view text) { return parse(text, Json::input_format_t::json); }

Result<Evidence> evidence_from_cbor(std::span<const std::byte> bytes) {
  const std::span<const uint8_t> octets(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  return parse(octets, Json::input_format_t::cbor);
}

Json to_json(const Case& the_case) { return archive::Writer().put(the_case); }

Result<Case> case_from_json(const Json& json) {
  archive::Reader reader({});
  Case the_case;
  reader.get(json, the_case);
  RELOADLAB_TRY(reader.status());
  return the_case;
}

}  // namespace reloadlab::sim
