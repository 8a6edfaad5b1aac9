#include "sim/fuzz/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "reference/base/read_file.h"
#include "sim/fuzz/shrink.h"
#include "sim/report/run_folder.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim::fuzz {
namespace fs = std::filesystem;
namespace {

constexpr Shelf kShelves[] = {Shelf::failing, Shelf::regression, Shelf::interesting};

Status told(const fs::path& path, const std::error_code& error) {
  return Status(Code::failed, fmt::format("{}: {}", path.string(), error.message()));
}

// The only one who changes the store, for as long as it lives.
class Lock {
 public:
  static Result<Lock> take(const fs::path& folder) {
    std::error_code error;
    for (const Shelf shelf : kShelves) {
      fs::create_directories(folder / folder_of(shelf), error);
      if (error) return told(folder / folder_of(shelf), error);
    }
    const fs::path file = folder / ".lock";
    const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) return told(file, std::error_code(errno, std::generic_category()));
    while (::flock(descriptor, LOCK_EX) != 0)
      if (errno != EINTR) return ::close(descriptor), told(file, std::error_code(errno, std::generic_category()));
    sweep(folder);
    return Lock(descriptor);
  }
  Lock(Lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Lock& operator=(Lock&&) = delete;
  ~Lock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

 private:
  explicit Lock(int descriptor) : descriptor_(descriptor) {}

  // Files begin with a dot until they are whole; whoever wrote those that are there now was killed.
  static void sweep(const fs::path& folder) {
    std::error_code ignored;
    for (const Shelf shelf : kShelves)
      for (const auto& file : fs::directory_iterator(folder / folder_of(shelf), ignored))
        if (file.path().filename().string().starts_with('.')) fs::remove(file.path(), ignored);
  }

  int descriptor_;
};

Result<Size> size_in(const Kept& kept) {
  RELOADLAB_ASSIGN(const Case the_case, case_of(kept.entry, kept.file.string()));
  return size_of(the_case);
}

// Where nothing is yet: "stem.yaml", "stem.2.yaml", …
fs::path free_place(const fs::path& folder, const std::string& stem) {
  std::error_code ignored;
  for (int number = 1;; ++number) {
    const fs::path file = folder / (number == 1 ? stem + ".yaml" : fmt::format("{}.{}.yaml", stem, number));
    if (!fs::exists(file, ignored)) return file;
  }
}

// REQUIRES the lock.
Result<fs::path> merge(const fs::path& folder, Entry entry, const std::set<std::string>& mended) {
  const fs::path file = folder / folder_of(Shelf::failing) / (stem_of(entry) + ".yaml");
  std::error_code ignored;
  if (fs::exists(file, ignored)) {
    RELOADLAB_ASSIGN(const Kept old, read_kept(file));
    RELOADLAB_ASSIGN(const Size before, size_in(old));
    RELOADLAB_ASSIGN(const Size now, size_in({file, entry}));
    const int64_t seen = old.entry.seen + entry.seen;
    if (mended.contains(old.entry.scenario)) {
      RELOADLAB_TRY(write_file(free_place(folder / folder_of(Shelf::regression), stem_of(entry)), text(old.entry)));
    } else if (before < now || (before == now && old.entry.smallest)) {
      entry = old.entry;
    }
    entry.seen = seen;
  }
  RELOADLAB_TRY(write_file(file, text(entry)));
  return file;
}

}  // namespace

std::string_view folder_of(Shelf shelf) {
  return shelf == Shelf::failing ? "failing" : shelf == Shelf::regression ? "regression" : "interesting";
}

Result<Kept> read_kept(const fs::path& file) {
  std::error_code none;
  if (fs::exists(file, none) && !fs::is_regular_file(file, none) && !fs::is_directory(file, none))
    return Status(Code::data, fmt::format("{}: is no plain file, expected an entry", file.string()));
  RELOADLAB_ASSIGN(const std::string text, read_file(file));
  RELOADLAB_ASSIGN(Entry entry, parse_entry(text, file.string()));
  return Kept{file, std::move(entry)};
}

Result<std::vector<Kept>> Store::entries(Shelf shelf) const {
  std::vector<fs::path> files;
  std::error_code none;
  for (const auto& file : fs::directory_iterator(folder_ / folder_of(shelf), none))
    if (file.path().extension() == ".yaml" && !file.path().filename().string().starts_with('.')) files.push_back(file.path());
  std::ranges::sort(files);
  std::vector<Kept> all;
  for (const fs::path& file : files) {
    Result<Kept> one = read_kept(file);
    std::error_code ignored;
    if (!one.ok() && !fs::exists(file, ignored)) continue;  // another campaign has moved it since
    if (!one.ok()) return one.status();
    all.push_back(*std::move(one));
  }
  return all;
}

Result<fs::path> Store::keep(const Entry& entry, const std::set<std::string>& mended) const {
  RELOADLAB_ASSIGN(const Lock lock, Lock::take(folder_));
  return merge(folder_, entry, mended);
}

Status Store::count(const Entry& entry, int64_t more) const {
  RELOADLAB_ASSIGN(const Lock lock, Lock::take(folder_));
  const fs::path file = folder_ / folder_of(Shelf::failing) / (stem_of(entry) + ".yaml");
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return {};
  RELOADLAB_ASSIGN(Kept kept, read_kept(file));
  kept.entry.seen += more;
  return write_file(file, text(kept.entry));
}

Result<fs::path> Store::promote(const Kept& mended) const {
  RELOADLAB_ASSIGN(const Lock lock, Lock::take(folder_));
  RELOADLAB_ASSIGN(const Kept there, read_kept(mended.file));
  if (there.entry.scenario != mended.entry.scenario)
    return Status(Code::failed, fmt::format("{}: another campaign has put another case there since it was played", mended.file.string()));
  const fs::path file = free_place(folder_ / folder_of(Shelf::regression), stem_of(mended.entry));
  RELOADLAB_TRY(write_file(file, text(mended.entry)));
  std::error_code error;
  fs::remove(mended.file, error);
  if (error) return told(mended.file, error);
  return file;
}

// In both places for a moment, and for good where the campaign is killed then: it is found failing there once more.
Result<fs::path> Store::take_back(const Kept& again, const std::set<std::string>& mended) const {
  RELOADLAB_ASSIGN(const Lock lock, Lock::take(folder_));
  RELOADLAB_ASSIGN(const fs::path file, merge(folder_, again.entry, mended));
  std::error_code ignored;
  fs::remove(again.file, ignored);
  return file;
}

Status Store::note(const std::string& name, const Case& the_case) const {
  RELOADLAB_ASSIGN(const Lock lock, Lock::take(folder_));
  const fs::path file = folder_ / folder_of(Shelf::interesting) / (file_stem(name) + ".yaml");
  std::error_code ignored;
  if (fs::exists(file, ignored)) return {};
  Case named = the_case;
  named.scenario = file_stem(name), named.about = fmt::format("Drawn: the first case that met {}.", name), named.tags = {"drawn"};
  return write_file(file, emit(named));
}

}  // namespace reloadlab::sim::fuzz
