#include "bench/gpu/o_proj.h"

#include <ATen/Functions.h>
#include <ATen/cuda/CUDAGeneratorImpl.h>
#include <c10/cuda/CUDAException.h>

#include <utility>

namespace reloadlab::bench {
namespace {

constexpr int64_t hidden = 7168, heads = 128 * 128;

at::Tensor random(at::IntArrayRef shape, at::ScalarType type, const at::Generator& generator) {
  const at::Tensor values = at::randn(shape, generator, at::TensorOptions().device(at::kCUDA).dtype(at::kBFloat16));
  return type == at::kBFloat16 ? values : values.to(type);
}

}  // namespace

Span::Span() {
  C10_CUDA_CHECK(cudaEventCreate(&begin_));
  C10_CUDA_CHECK(cudaEventCreate(&end_));
}
Span::~Span() {
  if (begin_) cudaEventDestroy(begin_);
  if (end_) cudaEventDestroy(end_);
}
Span::Span(Span&& other) noexcept : begin_(std::exchange(other.begin_, nullptr)), end_(std::exchange(other.end_, nullptr)) {}
void Span::begin() { C10_CUDA_CHECK(cudaEventRecord(begin_, c10::cuda::getCurrentCUDAStream())); }
void Span::end() { C10_CUDA_CHECK(cudaEventRecord(end_, c10::cuda::getCurrentCUDAStream())); }
double Span::milliseconds() const { return milliseconds_between(begin_, end_); }
Interval Span::behind(const Span& other) const {
  return {milliseconds_between(other.begin_, begin_), milliseconds_between(other.begin_, end_)};
}

double milliseconds_between(cudaEvent_t first, cudaEvent_t then) {
  float taken = 0;
  C10_CUDA_CHECK(cudaEventElapsedTime(&taken, first, then));
  return taken;
}

Projections::Projections(at::ScalarType type) : type_(type), one_(at::ones({}, at::TensorOptions().device(at::kCUDA))) {
  // Not at::manual_seed(), which asks for the generators of modelled devices too.
  at::Generator generator = at::cuda::detail::createCUDAGenerator();
  generator.set_current_seed(1);
  for (int64_t layer = 0; layer < o_proj_layers; ++layer) weights_.push_back(random({hidden, heads}, type, generator));
}

void Projections::set_tokens(int64_t tokens) {
  input_ = random({tokens, heads}, type_, at::cuda::detail::createCUDAGenerator());
  output_ = at::empty({tokens, hidden}, at::TensorOptions().device(at::kCUDA).dtype(at::kBFloat16));
}

void Projections::multiply(const at::Tensor& weight) {
  if (type_ == at::kBFloat16)
    at::mm_out(output_, input_, weight.t());
  else
    at::_scaled_mm_out(output_, input_, weight.t(), one_, one_, {}, {}, at::kBFloat16, /*use_fast_accum=*/true);
}

}  // namespace reloadlab::bench
