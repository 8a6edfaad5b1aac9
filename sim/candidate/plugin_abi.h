#pragma once
// What a plug-in says of itself before any object of C++ crosses: plain data, which can be read whatever it was built with.
// magic, abi and size keep their places for ever. Whoever changes what follows, or a header that plug-ins see, raises
// RELOADLAB_CANDIDATE_ABI; tests/sim/candidate/abi_test.cpp sees to it.
#include <cstdint>
#include <string>

#define RELOADLAB_CANDIDATE_MAGIC UINT64_C(0x31626c64616f6c72)
#define RELOADLAB_CANDIDATE_ABI 6

#ifdef NDEBUG
#define RELOADLAB_BUILT_NDEBUG "defined"
#else
#define RELOADLAB_BUILT_NDEBUG "not defined"
#endif

#if defined(_GLIBCXX_DEBUG)
#define RELOADLAB_BUILT_LIBRARY "libstdc++ with _GLIBCXX_DEBUG"
#elif defined(_GLIBCXX_USE_CXX11_ABI) && _GLIBCXX_USE_CXX11_ABI
#define RELOADLAB_BUILT_LIBRARY "libstdc++ with _GLIBCXX_USE_CXX11_ABI=1"
#elif defined(_GLIBCXX_USE_CXX11_ABI)
#define RELOADLAB_BUILT_LIBRARY "libstdc++ with _GLIBCXX_USE_CXX11_ABI=0"
#else
#define RELOADLAB_BUILT_LIBRARY "not libstdc++"
#endif

namespace reloadlab {
template <class T>
class Result;
namespace sim {
struct CandidateInfo;
}
}  // namespace reloadlab

struct ReloadlabCandidate {
  uint64_t magic;
  uint32_t abi;
  uint32_t size;  // of this struct, as the plug-in knows it
  // How it was built: texts, of which all but the compiler's have to be what the program was built with.
  const char* torch;         // TORCH_VERSION: "2.11.0"
  const char* ndebug;        // "defined" or not: LibTorch's objects have other layouts without it
  const char* library;       // of C++, and its ABI
  const char* compiler;      // "12.2.0"
  const char* cuda_runtime;  // "none", "shared" or "static"; what a static one does is not heard on the world cuda
  // What it is.
  const char* system;    // "layerwise"
  const char* profiles;  // "fast safe": it is then spelled mine.so@fast; empty: it has none
  // Called with "", or with what follows the '@'. Of what it gives back, name and system are filled in by the program.
  reloadlab::Result<reloadlab::sim::CandidateInfo> (*make)(const std::string& profile);
};

// What a plug-in exports, by the name reloadlab_candidate.
using ReloadlabCandidateFunction = const ReloadlabCandidate* (*)();
