// Says of itself what it was compiled to say, and can do nothing: it has to be refused before it is asked for anything.
#include "sim/candidate/plugin_abi.h"

#ifndef SAID_MAGIC
#define SAID_MAGIC RELOADLAB_CANDIDATE_MAGIC
#endif
#ifndef SAID_ABI
#define SAID_ABI RELOADLAB_CANDIDATE_ABI
#endif
#ifndef SAID_TORCH
#define SAID_TORCH "2.11.0"
#endif
#ifndef SAID_NDEBUG
#define SAID_NDEBUG RELOADLAB_BUILT_NDEBUG
#endif
#ifndef SAID_LIBRARY
#define SAID_LIBRARY RELOADLAB_BUILT_LIBRARY
#endif
#ifndef SAID_RUNTIME
#define SAID_RUNTIME "none"
#endif
#ifndef SAID_SYSTEM
#define SAID_SYSTEM "layerwise"
#endif

// Nothing has it.
namespace reloadlab::model {
void gone(int number);
}

#ifndef SAYS_NOTHING
extern "C" const ReloadlabCandidate* reloadlab_candidate() {
  static constexpr ReloadlabCandidate said{.magic = SAID_MAGIC,
                                           .abi = SAID_ABI,
                                           .size = sizeof(ReloadlabCandidate),
                                           .torch = SAID_TORCH,
                                           .ndebug = SAID_NDEBUG,
                                           .library = SAID_LIBRARY,
                                           .compiler = "1.2.3",
                                           .cuda_runtime = SAID_RUNTIME,
                                           .system = SAID_SYSTEM,
                                           .profiles = "",
                                           .make = nullptr};
  return &said;
}
#endif
#ifdef CALLS_WHAT_IS_GONE
void asks() { reloadlab::model::gone(1); }
#endif
