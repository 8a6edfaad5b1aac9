#pragma once
// What a process keeps outside of every model: tables that were worked out once and are looked up by what they were worked out from.
// No layer leads to them, so whoever throws away what a process holds and puts back what layers hold has lost them.
#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace reloadlab::model {

using ProcessTables = std::map<std::string, at::Tensor>;

// The calling thread's: each rank is a process of its own, and has a scope around what it does. Without one they are the thread's own.
ProcessTables& process_tables();

class ProcessScope {
 public:
  explicit ProcessScope(ProcessTables& tables);
  ~ProcessScope();
  ProcessScope(const ProcessScope&) = delete;
  ProcessScope& operator=(const ProcessScope&) = delete;

 private:
  ProcessTables* before_;
};

}  // namespace reloadlab::model
