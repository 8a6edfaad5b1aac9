#pragma once
// The interpreter's lock. A thread that has once had it keeps its thread state until it ends: what Python code has put aside there, a
// suspended call for instance, is there again in the next call of the harness.
#include "sim/python/torch_python.h"

namespace reloadlab::python {

class Gil {
 public:
  Gil() : keeper_(keeper()) {}

 private:
  struct Keeper {
    Keeper() : state(PyGILState_Ensure()), thread(PyEval_SaveThread()) {}
    ~Keeper() {
      PyEval_RestoreThread(thread);
      PyGILState_Release(state);
    }
    PyGILState_STATE state;
    PyThreadState* thread;
  };
  // One for each thread that comes without the lock; one that holds it has a state of its own.
  static Keeper* keeper() {
    thread_local std::unique_ptr<Keeper> kept;
    if (!kept && !PyGILState_Check()) kept = std::make_unique<Keeper>();
    return kept.get();
  }

  Keeper* keeper_;
  py::gil_scoped_acquire acquired_;
};

}  // namespace reloadlab::python
