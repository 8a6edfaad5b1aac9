#include "reference/base/nearest.h"

#include <algorithm>
#include <vector>

namespace reloadlab {

size_t edit_distance(std::string_view from, std::string_view to) {
  // Three rows of the table are enough: a swap of neighbours looks two rows back.
  std::vector<size_t> two_back(to.size() + 1), back(to.size() + 1), row(to.size() + 1);
  for (size_t j = 0; j <= to.size(); ++j) back[j] = j;
  for (size_t i = 1; i <= from.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= to.size(); ++j) {
      const size_t replace = back[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      row[j] = std::min({back[j] + 1, row[j - 1] + 1, replace});
      const bool swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
      if (swapped) row[j] = std::min(row[j], two_back[j - 2] + 1);
    }
    std::swap(two_back, back);
    std::swap(back, row);
  }
  return back[to.size()];
}

std::string_view called_here(std::string_view word) { return word == "gpu" ? "cuda" : ""; }

size_t slip_limit(std::string_view word) { return std::max<size_t>(1, word.size() / 3); }

}  // namespace reloadlab
