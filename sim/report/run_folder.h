#pragma once
// Where a run leaves its files. They are written under a temporary name beside the final one and renamed when all is there, so that
// out/<utc>-<name>/ is complete whenever it exists; out/latest then points to it. An abandoned run removes its files.
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "reference/base/status.h"
#include "sim/report/run_result.h"

namespace reloadlab::sim {

class RunFolder {
 public:
  // base: "out"; name: what was run, any text; started: "20261122T021533Z".
  static Result<std::unique_ptr<RunFolder>> open(const std::filesystem::path& base, const std::string& name, const std::string& started);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  // The final path, "out/20261122T021533Z-scenarios": what reports name before it exists.
  const std::filesystem::path& path() const { return final_; }
  // Writes failing/<stem>.yaml and says its name in the folder. One text is written once, however often it is handed in;
  // two texts that ask for one stem get two names.
  Result<std::string> add_failing(const std::string& stem, const std::string& yaml);
  Status append_trace(std::string_view lines);
  // Where worker processes print; removed when nobody did.
  std::filesystem::path log() const { return partial_ / "workers.log"; }
  // Writes result.json, junit.xml, report.html, trace.perfetto.json and, if wanted, result.sarif, renames the folder, moves `latest`.
  Status commit(const RunResult& result, bool sarif = false);

 private:
  Status write_pages(const RunResult& result) const;
  RunFolder(std::filesystem::path final_path, std::filesystem::path partial);
  std::filesystem::path final_, partial_;
  std::ofstream trace_;
  std::map<std::string, std::string> failing_;  // name → text
  bool committed_ = false;
};

// Whether write_file() can begin there, for whoever works long before it does. An empty path: nothing is to be written.
Status may_write(const std::filesystem::path& path);
// Writes under a temporary name in the same folder, then renames; where a link leads to, and into what is no plain file as it is.
Status write_file(const std::filesystem::path& path, std::string_view text);
// What a file name may hold: letters, digits, '.', '_', '-'; everything else becomes one '-'.
std::string file_stem(std::string_view text);

}  // namespace reloadlab::sim
