#include "sim/evidence/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace reloadlab::sim {
namespace {

template <class T>
T load(const std::byte* element) {
  T value;
  std::memcpy(&value, element, sizeof value);
  return value;
}

// A small float: sign, exponent with its bias, mantissa. `finite_top`: the top exponent holds numbers too (e4m3fn has one NaN only).
double small_float(unsigned bits, int exponent_bits, int mantissa_bits, bool finite_top) {
  const unsigned mantissa = bits & ((1u << mantissa_bits) - 1);
  const unsigned top = (1u << exponent_bits) - 1;
  const unsigned exponent = (bits >> mantissa_bits) & top;
  const double sign = (bits >> (exponent_bits + mantissa_bits)) & 1 ? -1.0 : 1.0;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  if (exponent == top && finite_top && mantissa == (1u << mantissa_bits) - 1) return std::numeric_limits<double>::quiet_NaN();
  if (exponent == top && !finite_top) return mantissa ? std::numeric_limits<double>::quiet_NaN() : sign * HUGE_VAL;
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp((1u << mantissa_bits) + mantissa, static_cast<int>(exponent) - bias - mantissa_bits);
}

struct Range {
  int64_t first, last;
};

std::vector<Range> ranges(const std::vector<int64_t>& sorted_flat, int64_t row) {
  std::vector<Range> found;
  for (int64_t flat : sorted_flat) {
    const int64_t index = flat / row;
    if (!found.empty() && index <= found.back().last + 1)
      found.back().last = index;
    else
      found.push_back({index, index});
  }
  return found;
}

}  // namespace

double decode_value(DType dtype, const std::byte* element) {
  switch (dtype) {
    case DType::f64:
      return load<double>(element);
    case DType::f32:
      return load<float>(element);
    case DType::f16:
      return small_float(load<uint16_t>(element), 5, 10, false);
    case DType::bf16:
      return small_float(load<uint16_t>(element), 8, 7, false);
    case DType::e4m3:
      return small_float(load<uint8_t>(element), 4, 3, true);
    case DType::e5m2:
      return small_float(load<uint8_t>(element), 5, 2, false);
    case DType::i64:
      return static_cast<double>(load<int64_t>(element));
    case DType::i32:
      return load<int32_t>(element);
    case DType::i16:
      return load<int16_t>(element);
    case DType::i8:
      return load<int8_t>(element);
    case DType::u8:
      return load<uint8_t>(element);
    case DType::boolean:
      return load<uint8_t>(element) != 0;
  }
  return 0;
}

std::string value_text(DType dtype, const std::byte* element) {
  if (dtype == DType::i64) return std::to_string(load<int64_t>(element));
  if (dtype == DType::boolean) {
    const auto byte = load<uint8_t>(element);
    return byte > 1 ? fmt::format("true (0x{:02x})", byte) : byte ? "true" : "false";
  }
  if (dtype == DType::f32) {
    const float value = load<float>(element);
    return std::isnan(value) ? "nan" : fmt::format("{}", value);
  }
  const double value = decode_value(dtype, element);
  return std::isnan(value) ? "nan" : fmt::format("{}", value);
}

bool looks_poisoned(DType dtype, const std::byte* element) {
  const int64_t size = dtype_size(dtype);
  if (*element != std::byte{0xFF} && *element != std::byte{0xA5}) return false;
  if (!std::all_of(element, element + size, [&](std::byte byte) { return byte == *element; })) return false;
  return size > 1 || dtype == DType::boolean || std::isnan(decode_value(dtype, element));
}

Shape unflatten(const Shape& shape, int64_t flat) {
  Shape index(shape.size());
  for (size_t dim = shape.size(); dim-- > 0; flat /= shape[dim]) index[dim] = flat % shape[dim];
  return index;
}

std::string list_text(const Shape& numbers) { return fmt::format("[{}]", fmt::join(numbers, ", ")); }

std::string count_text(int64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (size_t at = 0; at < digits.size(); ++at) {
    if (at > 0 && (digits.size() - at) % 3 == 0 && digits[at - 1] != '-') text += ',';
    text += digits[at];
  }
  return text;
}

std::string extent_text(const Shape& shape, const std::vector<int64_t>& sorted_flat) {
  if (shape.empty() || sorted_flat.empty()) return "the scalar";
  const bool rows = shape.size() > 1;
  const int64_t row = std::max<int64_t>(1, numel(Shape(shape.begin() + 1, shape.end())));
  const std::string_view unit = rows ? "rows" : "elements";
  const std::vector<Range> found = ranges(sorted_flat, row);
  if (found.size() == 1 && found[0].first == 0 && found[0].last + 1 == shape[0] && shape[0] > 1) return fmt::format("all {}", unit);
  std::string text = fmt::format("{} ", found.size() == 1 && found[0].first == found[0].last ? unit.substr(0, unit.size() - 1) : unit);
  constexpr size_t kShown = 3;
  for (size_t i = 0; i < found.size() && i < kShown; ++i) {
    if (i) text += ", ";
    text += found[i].first == found[i].last ? std::to_string(found[i].first) : fmt::format("{}-{}", found[i].first, found[i].last);
  }
  if (found.size() > kShown) text += fmt::format(" and {} more", found.size() - kShown);
  return text;
}

}  // namespace reloadlab::sim
