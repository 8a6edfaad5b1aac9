#pragma once
// One description per struct serves both directions: describe(visit, (const S*)nullptr) calls visit(key, member pointer) for every
// field. Writer leaves out fields that hold their default; Reader checks type and range of everything it takes, refuses keys that
// it does not know, and remembers the first error with its path ("executions/3/ranks/0/events/17/kind"). Neither throws.
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "sim/evidence/enums.h"
#include "sim/evidence/evidence.h"
#include "sim/evidence/fields.h"
#include "sim/evidence/text.h"

namespace reloadlab::sim::archive {

using Json = nlohmann::json;

template <class T>
concept Enum = std::is_enum_v<T>;
template <class T>
concept Described = std::is_class_v<T>;
template <class T>
concept Integer = std::is_integral_v<T> && !std::is_same_v<T, bool>;

class Writer {
 public:
  // Blobs met so far, each once, in the order of first use.
  std::vector<BlobPtr> blobs;

  template <Described S>
  Json put(const S& value) {
    [[maybe_unused]] static const S defaults{};
    Json out = Json::object();
    describe(
        [&](const char* key, auto member) {
          if (is_default(value.*member, defaults.*member)) return;
          Json content = put(value.*member);
          // Something that is there may be as it is by default; what is always there need not be said then.
          constexpr bool always = !requires { (value.*member).has_value(); };
          if (!always || !content.empty()) out[key] = std::move(content);
        },
        static_cast<const S*>(nullptr));
    return out;
  }
  Json put(bool value) { return value; }
  template <Integer T>
  Json put(T value) {
    return value;
  }
  template <Enum T>
  Json put(T value) {
    return std::string(enum_name(value));
  }
  Json put(double value) { return std::isfinite(value) ? Json(value) : Json(fmt::format("{}", value)); }
  Json put(const std::string& value) { return valid_utf8(value); }
  Json put(const Value& value) {
    return std::visit([this](const auto& held) { return put(held); }, value);
  }
  Json put(const Status& status) {
    if (status.ok()) return nullptr;
    return Json{{"code", std::string(code_name(status.code()))}, {"message", valid_utf8(status.message())}};
  }
  Json put(const BlobPtr& blob) {
    if (!blob) return nullptr;
    const auto [found, fresh] = index_.try_emplace(blob->fingerprint, blobs.size());
    if (fresh) blobs.push_back(blob);
    return found->second;
  }
  template <class T>
  Json put(const std::vector<T>& values) {
    Json out = Json::array();
    for (const T& value : values) out.push_back(put(value));
    return out;
  }
  template <class T>
  Json put(const std::optional<T>& value) {
    return put(*value);
  }
  template <class T, class C>
  Json put(const std::map<std::string, T, C>& values) {
    Json out = Json::object();
    for (const auto& [key, value] : values) out[valid_utf8(key)] = put(value);
    return out;
  }
  template <class T>
  Json put(const std::pair<std::string, T>& value) {
    return Json::array({put(value.first), put(value.second)});
  }

 private:
  template <class T>
  static bool is_default(const T& value, const T& fallback) {
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_same_v<T, std::string>) return value == fallback;
    return false;
  }
  template <class T>
  static bool is_default(const std::vector<T>& value, const std::vector<T>& fallback) {
    return value.empty() && fallback.empty();
  }
  template <class T>
  static bool is_default(const std::optional<T>& value, const std::optional<T>&) {
    return !value;
  }
  template <class T, class C>
  static bool is_default(const std::map<std::string, T, C>& value, const std::map<std::string, T, C>&) {
    return value.empty();
  }
  static bool is_default(const Status& value, const Status&) { return value.ok(); }
  static bool is_default(const BlobPtr& value, const BlobPtr&) { return !value; }

  std::map<std::array<uint64_t, 2>, size_t> index_;  // by fingerprint
};

class Reader {
 public:
  explicit Reader(std::vector<BlobPtr> blobs) : blobs_(std::move(blobs)) {}
  const Status& status() const { return status_; }
  void fail(const std::string& expected) {
    if (status_.ok()) status_ = Status(Code::data, fmt::format("{}: expected {}", path(), expected));
  }

  template <Described S>
  void get(const Json& in, S& out) {
    if (!in.is_object()) return fail("an object");
    size_t known = 0;
    describe(
        [&](const char* key, auto member) {
          const auto found = in.find(key);
          if (found == in.end()) return;
          ++known;
          within(key, [&] { get(*found, out.*member); });
        },
        static_cast<const S*>(nullptr));
    if (known != in.size()) fail("only known keys");
  }
  void get(const Json& in, bool& out) {
    if (!in.is_boolean()) return fail("true or false");
    out = in.get<bool>();
  }
  template <Integer T>
  void get(const Json& in, T& out) {
    if (!in.is_number_integer()) return fail("an integer");
    const bool fits = in.is_number_unsigned() ? std::in_range<T>(in.get<uint64_t>()) : std::in_range<T>(in.get<int64_t>());
    if (!fits) return fail("an integer in range");
    out = in.is_number_unsigned() ? static_cast<T>(in.get<uint64_t>()) : static_cast<T>(in.get<int64_t>());
  }
  template <Enum T>
  void get(const Json& in, T& out) {
    const std::optional<T> value = in.is_string() ? enum_from_name<T>(in.get_ref<const std::string&>()) : std::nullopt;
    if (!value) return fail("a known name");
    out = *value;
  }
  void get(const Json& in, double& out) {
    if (in.is_number()) {
      out = in.get<double>();
    } else if (in == "nan" || in == "-nan") {
      out = std::numeric_limits<double>::quiet_NaN();
    } else if (in == "inf" || in == "-inf") {
      out = in == "inf" ? HUGE_VAL : -HUGE_VAL;
    } else {
      fail("a number");
    }
  }
  void get(const Json& in, std::string& out) {
    if (!in.is_string() || !is_utf8(in.get_ref<const std::string&>())) return fail("UTF-8 text");
    out = in.get_ref<const std::string&>();
  }
  void get(const Json& in, Value& out) {
    if (in.is_boolean()) return get(in, out.emplace<bool>());
    if (in.is_number_integer()) return get(in, out.emplace<int64_t>());
    if (in.is_number_float()) return get(in, out.emplace<double>());
    if (in.is_string()) return get(in, out.emplace<std::string>());
    get(in, out.emplace<std::vector<int64_t>>());
  }
  void get(const Json& in, Status& out) {
    if (in.is_null()) return;
    const auto code = in.is_object() && in.size() == 2 && in.contains("code") && in["code"].is_string()
                          ? enum_from_name<Code>(in["code"].get_ref<const std::string&>())
                          : std::nullopt;
    if (!code || *code == Code::ok || !in.contains("message")) return fail("a failure's code and message");
    std::string message;
    within("message", [&] { get(in["message"], message); });
    out = Status(*code, std::move(message));
  }
  void get(const Json& in, BlobPtr& out) {
    size_t index = 0;
    if (in.is_null()) return;
    get(in, index);
    if (index >= blobs_.size()) return fail("the index of a blob");
    out = blobs_[index];
  }
  template <class T>
  void get(const Json& in, std::vector<T>& out) {
    if (!in.is_array()) return fail("a list");
    out.clear();
    out.reserve(in.size());
    for (size_t i = 0; i < in.size() && status_.ok(); ++i) within(i, [&] { get(in[i], out.emplace_back()); });
  }
  template <class T>
  void get(const Json& in, std::optional<T>& out) {
    get(in, out.emplace());
  }
  template <class T, class C>
  void get(const Json& in, std::map<std::string, T, C>& out) {
    if (!in.is_object()) return fail("an object");
    for (const auto& [key, value] : in.items()) {
      if (!is_utf8(key)) return fail("UTF-8 keys");
      within("*", [&] { get(value, out[key]); });
    }
  }
  template <class T>
  void get(const Json& in, std::pair<std::string, T>& out) {
    if (!in.is_array() || in.size() != 2) return fail("a pair");
    get(in[0], out.first);
    get(in[1], out.second);
  }

 private:
  struct Frame {
    const Frame* up;
    const char* key;  // null: an index
    size_t index;
  };
  template <class Fn>
  void within(const char* key, Fn&& fn) {
    enter({frame_, key, 0}, fn);
  }
  template <class Fn>
  void within(size_t index, Fn&& fn) {
    enter({frame_, nullptr, index}, fn);
  }
  template <class Fn>
  void enter(const Frame& frame, Fn&& fn) {
    const Frame* before = frame_;
    frame_ = &frame;
    if (status_.ok()) fn();
    frame_ = before;
  }
  std::string path() const {
    std::string text;
    for (const Frame* frame = frame_; frame; frame = frame->up)
      text = (frame->key ? std::string(frame->key) : std::to_string(frame->index)) + (text.empty() ? "" : "/") + text;
    return text.empty() ? "evidence" : text;
  }

  std::vector<BlobPtr> blobs_;
  Status status_;
  const Frame* frame_ = nullptr;
};

}  // namespace reloadlab::sim::archive
