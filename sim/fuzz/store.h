#pragma once
// Where campaigns keep what they find, and what they look at first:
//
//   DIR/failing/       an entry for each cause and candidate: the smallest case that is known to show it, and how many did
//   DIR/regression/    what failed once and was mended
//   DIR/interesting/   scenarios that were the first to meet a probe
//
// Several campaigns may use a store at a time, and any of them may be killed at any moment: who changes something holds DIR/.lock, which
// goes with its process; a file is written under another name and renamed; and what moves is in its new place before it leaves the old one.
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "sim/fuzz/entry.h"

namespace reloadlab::sim::fuzz {

enum class Shelf { failing, regression, interesting };
std::string_view folder_of(Shelf shelf);

struct Kept {
  std::filesystem::path file;
  Entry entry;
};

class Store {
 public:
  explicit Store(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // In the order of their names. Code::data: a .yaml there is no entry.
  Result<std::vector<Kept>> entries(Shelf shelf) const;
  // Into failing/. What is there of the same cause stays if it is as small, and both are counted. A scenario that is known not to show it
  // any more (`mended`: their texts) goes to regression/ instead.
  Result<std::filesystem::path> keep(const Entry& entry, const std::set<std::string>& mended = {}) const;
  // So many cases more have shown it.
  Status count(const Entry& entry, int64_t more) const;
  // From failing/ to regression/, where nothing is replaced. Returns the new place. Code::failed: it is another scenario by now.
  Result<std::filesystem::path> promote(const Kept& mended) const;
  // From regression/ back to failing/, as keep() does.
  Result<std::filesystem::path> take_back(const Kept& again, const std::set<std::string>& mended) const;
  // Into interesting/; whoever came first stays.
  Status note(const std::string& name, const Case& the_case) const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

Result<Kept> read_kept(const std::filesystem::path& file);

}  // namespace reloadlab::sim::fuzz
