#include "reference/model/tap/tap.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>

#include <vector>

namespace reloadlab::model {
namespace {

constexpr c10::DispatchKey key_of(Tap tap) {
  switch (tap) {
    case Tap::engine:
      return c10::DispatchKey::TESTING_ONLY_GenericWrapper;
    case Tap::harness:
      return c10::DispatchKey::TESTING_ONLY_GenericMode;
    case Tap::device:
      break;
  }
  return c10::DispatchKey::DeferredInit;  // nothing in LibTorch is registered for it
}

std::vector<OpListener*>& listeners(Tap tap) {
  thread_local std::vector<OpListener*> stacks[3];
  return stacks[static_cast<size_t>(tap)];
}

template <Tap tap>
void tapped(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack* stack) {
  c10::impl::ExcludeDispatchKeyGuard below(key_of(tap));
  auto& active = listeners(tap);
  for (size_t i = active.size(); i > 0; --i) active[i - 1]->before(op, *stack);
  op.callBoxed(stack);
  for (size_t i = active.size(); i > 0; --i) active[i - 1]->after(op, *stack);
}

}  // namespace

TapGuard::TapGuard(Tap tap, OpListener& listener) : tap_(tap) {
  listeners(tap).push_back(&listener);
  c10::impl::tls_set_dispatch_key_included(key_of(tap), true);
}

TapGuard::~TapGuard() {
  listeners(tap_).pop_back();
  if (listeners(tap_).empty()) c10::impl::tls_set_dispatch_key_included(key_of(tap_), false);
}

TapPause::TapPause(Tap tap) : tap_(tap), was_included_(c10::impl::tls_is_dispatch_key_included(key_of(tap))) {
  c10::impl::tls_set_dispatch_key_included(key_of(tap), false);
}

TapPause::~TapPause() { c10::impl::tls_set_dispatch_key_included(key_of(tap_), was_included_); }

TORCH_LIBRARY_IMPL(_, TESTING_ONLY_GenericWrapper, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&tapped<Tap::engine>>());
}
TORCH_LIBRARY_IMPL(_, TESTING_ONLY_GenericMode, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&tapped<Tap::harness>>());
}
TORCH_LIBRARY_IMPL(_, DeferredInit, library) { library.fallback(torch::CppFunction::makeFromBoxedFunction<&tapped<Tap::device>>()); }

}  // namespace reloadlab::model
