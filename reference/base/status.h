#pragma once
// Expected failures are values. A Status is ok or a code with a message; a Result<T> is a T or a Status that is not ok.
// Bugs of ours are not statuses: they are RELOADLAB_CHECK (check.h).
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace reloadlab {

enum class Code {
  ok,
  usage,        // the command line or a call's arguments are wrong
  data,         // a file says something that is not allowed; the message holds its position
  misuse,       // a call came out of order (begin twice, finish without begin, a stale handle)
  rejected,     // a policy refuses what was delivered (excess, missing, unknown, limit, unaccountable write)
  failed,       // something below failed: an operator threw, a fault was injected
  lost,         // what it was done with can do nothing any more: a device that a fault or a lack of memory has spoiled
  unsupported,  // this implementation cannot do it, and says so
};

std::string_view code_name(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;  // ok
  Status(Code code, std::string message);
  bool ok() const { return rep_ == nullptr; }
  Code code() const { return rep_ ? rep_->code : Code::ok; }
  const std::string& message() const;
  // The same failure with what was being done put in front of it.
  Status within(std::string_view what) const;

 private:
  struct Rep {
    Code code;
    std::string message;
  };
  std::shared_ptr<const Rep> rep_;  // null when ok: an ok status is one pointer wide and allocates nothing
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}          // NOLINT: implicit on purpose
  Result(Status status) : status_(std::move(status)) {}  // NOLINT: REQUIRES !status.ok()
  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return std::move(*value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace reloadlab

#define RELOADLAB_CONCAT_(a, b) a##b
#define RELOADLAB_CONCAT(a, b) RELOADLAB_CONCAT_(a, b)
// Returns from the enclosing function when `expression` is a Status that is not ok.
#define RELOADLAB_TRY(expression)                                                              \
  do {                                                                                         \
    if (::reloadlab::Status try_status_ = (expression); !try_status_.ok()) return try_status_; \
  } while (false)
// Declares `declaration` from a Result, or returns its status.
#define RELOADLAB_ASSIGN(declaration, expression) RELOADLAB_ASSIGN_(RELOADLAB_CONCAT(assign_result_, __LINE__), declaration, expression)
// NOLINTBEGIN(bugprone-macro-parentheses): a name and a declaration cannot stand in parentheses.
#define RELOADLAB_ASSIGN_(result, declaration, expression) \
  auto result = (expression);                              \
  if (!result.ok()) return result.status();                \
  declaration = *std::move(result)
// NOLINTEND(bugprone-macro-parentheses)
