#include "reference/model/process_tables.h"

#include <utility>

namespace reloadlab::model {
namespace {

thread_local ProcessTables own;
thread_local ProcessTables* current = nullptr;

}  // namespace

ProcessTables& process_tables() { return current ? *current : own; }

ProcessScope::ProcessScope(ProcessTables& tables) : before_(std::exchange(current, &tables)) {}
ProcessScope::~ProcessScope() { current = before_; }

}  // namespace reloadlab::model
