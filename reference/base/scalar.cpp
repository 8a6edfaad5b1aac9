#include "reference/base/scalar.h"

#include <array>

namespace reloadlab {
namespace {

struct Row {
  DType dtype;
  std::string_view name;
  int64_t size;
};

constexpr std::array rows = {
    Row{DType::f64, "f64", 8},   Row{DType::f32, "f32", 4},   Row{DType::f16, "f16", 2}, Row{DType::bf16, "bf16", 2},
    Row{DType::e4m3, "e4m3", 1}, Row{DType::e5m2, "e5m2", 1}, Row{DType::i64, "i64", 8}, Row{DType::i32, "i32", 4},
    Row{DType::i16, "i16", 2},   Row{DType::i8, "i8", 1},     Row{DType::u8, "u8", 1},   Row{DType::boolean, "bool", 1},
};

constexpr auto dtypes = [] {
  std::array<DType, rows.size()> all{};
  for (size_t i = 0; i < rows.size(); ++i) all[i] = rows[i].dtype;
  return all;
}();

const Row& row(DType dtype) { return rows[static_cast<size_t>(dtype)]; }

}  // namespace

std::span<const DType> all_dtypes() { return dtypes; }
std::string_view dtype_name(DType dtype) { return row(dtype).name; }
int64_t dtype_size(DType dtype) { return row(dtype).size; }

bool is_floating(DType dtype) { return dtype <= DType::e5m2; }

// f16 has bits for fractions that bf16 lacks, and bf16 exponents that f16 lacks; likewise the two of one byte.
bool holds_all(DType wide, DType narrow) { return wide == narrow || dtype_size(wide) > dtype_size(narrow); }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const Row& candidate : rows)
    if (candidate.name == name) return candidate.dtype;
  return std::nullopt;
}

int64_t numel(const Shape& shape) {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return count;
}

}  // namespace reloadlab
