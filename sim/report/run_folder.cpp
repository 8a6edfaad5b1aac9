#include "sim/report/run_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <system_error>

#include "sim/report/html.h"
#include "sim/report/json.h"
#include "sim/report/junit.h"
#include "sim/report/perfetto.h"
#include "sim/report/sarif.h"
#include "sim/report/told.h"

namespace reloadlab::sim {
namespace fs = std::filesystem;
namespace {

Status io_error(const fs::path& path, const std::error_code& error) {
  return Status(Code::usage, fmt::format("{}: {}", path.string(), error.message()));
}

// A place that cannot be opened was a wrong word; one that cannot take what is written, a full disk as a rule, was not.
Status write_error(const fs::path& path) {
  return Status(Code::failed, fmt::format("{}: {}", path.string(), std::generic_category().message(errno != 0 ? errno : EIO)));
}

// out/latest is replaced in one rename, so that it never points nowhere.
Status point_latest(const fs::path& final_path) {
  std::error_code error;
  const fs::path link = final_path.parent_path() / "latest";
  const fs::path fresh = final_path.parent_path() / fmt::format(".latest.{}", ::getpid());
  fs::remove(fresh, error);
  fs::create_directory_symlink(final_path.filename(), fresh, error);
  if (!error) fs::rename(fresh, link, error);
  return error ? io_error(link, error) : Status();
}

}  // namespace

std::string file_stem(std::string_view text) {
  std::string stem;
  for (char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
    if (plain)
      stem += c;
    else if (!stem.empty() && stem.back() != '-')
      stem += '-';
  }
  while (!stem.empty() && (stem.back() == '-' || stem.back() == '.')) stem.pop_back();
  stem.erase(0, stem.find_first_not_of(".-"));
  return stem.empty() ? "run" : stem;
}

namespace {

// Where a link leads; and a pipe or a device is written to as it is, for nothing may take its place.
struct Place {
  fs::path path, partial;
  explicit Place(const fs::path& asked) : path(asked) {
    std::error_code none;
    if (fs::is_symlink(asked, none)) path = fs::weakly_canonical(asked, none);
    partial = is_other(path) ? path : path.parent_path() / fmt::format(".{}.{}", path.filename().string(), ::getpid());
  }
  static bool is_other(const fs::path& path) {
    std::error_code none;
    return fs::exists(path, none) && !fs::is_regular_file(path, none) && !fs::is_directory(path, none);
  }
};

Result<std::ofstream> open(const fs::path& partial, const fs::path& asked) {
  errno = 0;
  std::ofstream out(partial, std::ios::binary);
  if (!out) return io_error(asked, std::error_code(errno != 0 ? errno : EIO, std::generic_category()));
  return out;
}

}  // namespace

Status may_write(const fs::path& path) {
  const Place place(path);
  std::error_code none;
  if (path.empty() || place.partial == place.path) return {};
  if (fs::is_directory(place.path, none)) return io_error(path, std::make_error_code(std::errc::is_a_directory));
  const Status opened = open(place.partial, path).status();
  fs::remove(place.partial, none);
  return opened;
}

Status write_file(const fs::path& path, std::string_view text) {
  const Place place(path);
  RELOADLAB_ASSIGN(std::ofstream out, open(place.partial, path));
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.close();
  Status status = out ? Status() : write_error(path);
  if (place.partial == place.path) return status;
  std::error_code error;
  if (status.ok()) fs::rename(place.partial, place.path, error);
  if (error) status = io_error(path, error);
  if (!status.ok()) fs::remove(place.partial, error);
  return status;
}

RunFolder::RunFolder(fs::path final_path, fs::path partial) : final_(std::move(final_path)), partial_(std::move(partial)) {}

Result<std::unique_ptr<RunFolder>> RunFolder::open(const fs::path& base, const std::string& name, const std::string& started) {
  std::error_code error;
  fs::create_directories(base, error);
  if (error) return io_error(base, error);
  const std::string wanted = fmt::format("{}-{}", started, file_stem(name));
  for (int attempt = 1;; ++attempt) {
    const std::string unique = attempt == 1 ? wanted : fmt::format("{}-{}", wanted, attempt);
    const fs::path partial = base / fmt::format(".{}.partial", unique);
    // Creating the folder is the claim on the name: two runs of one second get two names.
    if (fs::exists(base / unique, error) || !fs::create_directory(partial, error)) {
      if (error) return io_error(partial, error);
      continue;
    }
    std::unique_ptr<RunFolder> folder(new RunFolder(base / unique, partial));
    folder->trace_.open(partial / "trace.jsonl", std::ios::binary);
    if (!folder->trace_) return io_error(partial / "trace.jsonl", std::error_code(errno, std::generic_category()));
    return folder;
  }
}

RunFolder::~RunFolder() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(partial_, ignored);
}

Result<std::string> RunFolder::add_failing(const std::string& stem, const std::string& yaml) {
  std::error_code error;
  fs::create_directories(partial_ / "failing", error);
  if (error) return io_error(partial_ / "failing", error);
  for (int attempt = 1;; ++attempt) {
    const std::string name = fmt::format("failing/{}{}.yaml", file_stem(stem), attempt == 1 ? "" : fmt::format(".{}", attempt));
    const auto [place, fresh] = failing_.emplace(name, yaml);
    if (fresh) RELOADLAB_TRY(write_file(partial_ / name, yaml));
    if (place->second == yaml) return name;
  }
}

Status RunFolder::append_trace(std::string_view lines) {
  trace_.write(lines.data(), static_cast<std::streamsize>(lines.size()));
  return trace_ ? Status() : write_error(final_ / "trace.jsonl");
}

// For people, of the cases that they look at first.
Status RunFolder::write_pages(const RunResult& result) const {
  const std::vector<const CaseResult*> told = told_cases(result);
  RELOADLAB_ASSIGN(const std::vector<TracedExecution> executions, read_trace(partial_ / "trace.jsonl", ids_of(told)));
  RELOADLAB_TRY(write_file(partial_ / "report.html", html_report(result, executions)));
  std::vector<const TracedExecution*> own;
  for (const CaseResult* one : told)
    for (const TracedExecution* execution : executions_of(*one, executions)) own.push_back(execution);
  return write_file(partial_ / "trace.perfetto.json", perfetto_json(own));
}

Status RunFolder::commit(const RunResult& result, bool sarif) {
  trace_.close();
  if (!trace_) return write_error(final_ / "trace.jsonl");
  RELOADLAB_TRY(write_file(partial_ / "result.json", result_json(result)));
  RELOADLAB_TRY(write_file(partial_ / "junit.xml", junit_xml(result)));
  RELOADLAB_TRY(write_pages(result));
  if (sarif) RELOADLAB_TRY(write_file(partial_ / "result.sarif", sarif_text(result)));
  std::error_code error;
  if (fs::is_empty(log(), error)) fs::remove(log(), error);
  fs::rename(partial_, final_, error);
  if (error) return io_error(final_, error);
  committed_ = true;
  return point_latest(final_);
}

}  // namespace reloadlab::sim
