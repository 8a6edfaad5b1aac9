#include "sim/python/calls.h"

#include <stdexcept>

#include "reference/base/check.h"
#include "reference/model/guard.h"
#include "sim/python/helpers.h"

namespace reloadlab::python {
namespace {

thread_local std::exception_ptr kept;

void throw_what_was_kept() {
  if (kept) std::rethrow_exception(std::exchange(kept, nullptr));
}

// Keeps what is thrown, and has Python unwind on its own.
[[noreturn]] void keep_and_unwind() {
  kept = std::current_exception();
  PyErr_SetString(py::object(helpers().attr("Abandoned")).ptr(), "the harness goes no further");
  throw py::error_already_set();
}

Code code_called(const std::string& name) {
  for (const Code code : {Code::usage, Code::data, Code::misuse, Code::rejected, Code::lost, Code::unsupported})
    if (code_name(code) == name) return code;
  return Code::failed;
}

// What the Python half makes of an exception: a code's name and a line, or no code where the candidate does not refuse so.
Status said(const py::error_already_set& error, const py::object& candidate) {
  const py::object trace = error.trace() ? error.trace() : py::object(py::none());
  const py::tuple words = helpers().attr("explain")(error.value(), trace, candidate);
  const auto text = words[1].cast<std::string>();
  if (words[0].is_none()) throw std::runtime_error(text);
  return Status(code_called(words[0].cast<std::string>()), text);
}

Status called(const py::object& candidate, c10::function_ref<void()> fn) {
  try {
    fn();
  } catch (py::error_already_set& error) {
    throw_what_was_kept();
    return said(error, candidate);
  }
  throw_what_was_kept();
  return {};
}

class ReadAtTheEnd {
 public:
  explicit ReadAtTheEnd(Mirror& mirror) : mirror_(mirror) {}
  ~ReadAtTheEnd() { mirror_.read(); }
  ReadAtTheEnd(const ReadAtTheEnd&) = delete;
  ReadAtTheEnd& operator=(const ReadAtTheEnd&) = delete;

 private:
  Mirror& mirror_;
};

}  // namespace

Status call(Mirror& mirror, c10::function_ref<void()> fn) {
  const Gil gil;
  const std::shared_ptr<Mirror> lives = mirror.shared_from_this();
  mirror.show();
  mirror.let_go();
  const ReadAtTheEnd read(mirror);
  const Entered entered(mirror);
  return called(mirror.candidate, fn);
}

Status call(const py::object& candidate, c10::function_ref<void()> fn) {
  const Gil gil;
  return called(candidate, fn);
}

void raise(const Status& failure) {
  if (failure.ok()) return;
  helpers().attr("raise_failure")(std::string(code_name(failure.code())), failure.message());
}

Status run_for_python(c10::function_ref<Status()> fn) {
  try {
    return fn();
  } catch (const py::error_already_set&) {
    throw;
  } catch (python_error& error) {
    error.restore();
    throw py::error_already_set();
  } catch (const Defect&) {
    keep_and_unwind();
  } catch (const std::exception& error) {
    const std::string_view text = error.what();
    return Status(Code::failed, std::string(text.substr(0, text.find('\n'))));
  } catch (...) {
    keep_and_unwind();
  }
}

}  // namespace reloadlab::python
