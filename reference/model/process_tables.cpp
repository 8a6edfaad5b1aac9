#include "reference/model/process_tables.h"

#include <utility>

namespace reloadlab::model {
namespace {

thread_local ProcessTables own;
thread_local ProcessTables* current_tables = nullptr;

}  // namespace

ProcessTables& process_tables() { return current_tables ? *current_tables : own; }

ProcessScope::ProcessScope(ProcessTables& tables) : before_(std::exchange(current_tables, &tables)) {}
ProcessScope::~ProcessScope() { current_tables = before_; }

}  // namespace reloadlab::model
