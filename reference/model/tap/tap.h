#pragma once
// Taps: listeners that see every operator the calling thread issues, with its schema and arguments, below Python and above the
// kernels. Operators nested in another one are not seen. Three taps exist, so that none disturbs another: Tap::engine (dispatch key
// TESTING_ONLY_GenericWrapper) for an engine's own counting, Tap::harness (TESTING_ONLY_GenericMode, outermost), and Tap::device
// (DeferredInit, innermost), which sees what a device has to do, the harness's own doings included. A second registration on a key
// throws, so all live in one shared library that plug-ins link.
//
// Costs about a microsecond per operator while at least one listener of that tap is on the thread, nothing otherwise.
#include "reference/model/tap/operator_names.h"

namespace reloadlab::model {

enum class Tap { engine, harness, device };

class OpListener {
 public:
  virtual ~OpListener() = default;
  // The arguments lie at the top of the stack, operator.schema().arguments().size() of them. May throw: the operator is then not run.
  virtual void before(const c10::OperatorHandle& op, const torch::jit::Stack& stack) = 0;
  // The results lie at the top of the stack.
  virtual void after(const c10::OperatorHandle& op, const torch::jit::Stack& stack) = 0;
};

// Puts a listener on top of the thread's stack of listeners for its lifetime; the innermost is called first.
class TapGuard {
 public:
  TapGuard(Tap tap, OpListener& listener);
  ~TapGuard();
  TapGuard(const TapGuard&) = delete;
  TapGuard& operator=(const TapGuard&) = delete;

 private:
  Tap tap_;
};

// Suspends a tap for its lifetime: what the harness does for itself must not be seen.
class TapPause {
 public:
  explicit TapPause(Tap tap);
  ~TapPause();
  TapPause(const TapPause&) = delete;
  TapPause& operator=(const TapPause&) = delete;

 private:
  Tap tap_;
  bool was_included_;
};

}  // namespace reloadlab::model
