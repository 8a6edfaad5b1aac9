#pragma once
// The 61 output projections of DeepSeek-V3's attention, whole on this GPU, and a GEMM of each: hidden 7168, 128 heads of 128.
#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAStream.h>

#include <vector>

namespace reloadlab::bench {

inline constexpr int64_t o_proj_layers = 61;

// Milliseconds, behind some moment.
struct Interval {
  double from = 0, to = 0;
  double length() const { return to - from; }
};

double milliseconds_between(cudaEvent_t first, cudaEvent_t then);  // once both have come; negative where `first` came later

// Time on a GPU's stream.
class Span {
 public:
  Span();
  ~Span();
  Span(Span&& other) noexcept;
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;
  void begin();  // on the current stream
  void end();
  double milliseconds() const;  // once both have come
  cudaEvent_t begin_event() const { return begin_; }
  Interval behind(const Span& other) const;  // behind its begin

 private:
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

class Projections {
 public:
  // The same values on every rank. `type`: bf16, or fp8 (e4m3).
  explicit Projections(at::ScalarType type);
  const at::Tensor& weight(int64_t layer) const { return weights_[static_cast<size_t>(layer)]; }
  int64_t bytes() const { return static_cast<int64_t>(weights_.front().nbytes()); }  // of one
  void set_tokens(int64_t tokens);
  // The projection of all tokens by that weight, on the current stream.
  void multiply(const at::Tensor& weight);
  void multiply(int64_t layer) { multiply(weight(layer)); }

 private:
  at::ScalarType type_;
  std::vector<at::Tensor> weights_;
  at::Tensor input_, output_, one_;
};

}  // namespace reloadlab::bench
