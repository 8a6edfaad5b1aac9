#pragma once
// Where another thread of this process is, for whoever has waited too long for it.
#include <pthread.h>

#include <string>
#include <vector>

namespace reloadlab::sim::cuda {

// The functions that the thread is in, the innermost first; empty where it does not answer. One call at a time.
std::vector<std::string> stack_of(pthread_t thread);

}  // namespace reloadlab::sim::cuda
