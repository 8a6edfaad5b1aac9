#include "reference/base/check.h"
#include "reference/model/layer.h"

namespace reloadlab::model {

at::ScalarType to_torch(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return at::kDouble;
    case DType::f32:
      return at::kFloat;
    case DType::f16:
      return at::kHalf;
    case DType::bf16:
      return at::kBFloat16;
    case DType::e4m3:
      return at::kFloat8_e4m3fn;
    case DType::e5m2:
      return at::kFloat8_e5m2;
    case DType::i64:
      return at::kLong;
    case DType::i32:
      return at::kInt;
    case DType::i16:
      return at::kShort;
    case DType::i8:
      return at::kChar;
    case DType::u8:
      return at::kByte;
    case DType::boolean:
      return at::kBool;
  }
  RELOADLAB_CHECK(false, "unknown dtype");
}

DType from_torch(at::ScalarType type) {
  for (DType dtype : all_dtypes())
    if (to_torch(dtype) == type) return dtype;
  RELOADLAB_CHECK(false, std::string("element type that scenarios cannot name: ") + c10::toString(type));
}

}  // namespace reloadlab::model
