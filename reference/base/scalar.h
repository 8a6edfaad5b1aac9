#pragma once
// Element types and small typed values that scenarios, checkpoints and models share. No LibTorch here.
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace reloadlab {

// The spelling in scenario files is dtype_name(); the order is the order in messages.
enum class DType { f64, f32, f16, bf16, e4m3, e5m2, i64, i32, i16, i8, u8, boolean };

std::span<const DType> all_dtypes();
std::string_view dtype_name(DType dtype);
std::optional<DType> dtype_from_name(std::string_view name);
int64_t dtype_size(DType dtype);  // bytes per element
bool is_floating(DType dtype);
bool holds_all(DType wide, DType narrow);  // every value of a floating-point type is one of the other too. REQUIRES floating-point types

using Shape = std::vector<int64_t>;
int64_t numel(const Shape& shape);

// A value of a scenario key.
using Value = std::variant<bool, int64_t, double, std::string, std::vector<int64_t>>;
using Values = std::map<std::string, Value, std::less<>>;

}  // namespace reloadlab
