#pragma once
// The nearest valid spelling of a word that matched nothing, for messages that end in: did you mean "embed.weight"?
#include <cstddef>
#include <string>
#include <string_view>

namespace reloadlab {

// Edits (insert, erase, replace, swap of two neighbours: optimal string alignment) that turn one word into the other.
size_t edit_distance(std::string_view from, std::string_view to);

// How many edits still count as a slip of the pen: a third of the word, at least one.
size_t slip_limit(std::string_view word);

// What is called by another word here, as "cuda" where somebody says "gpu"; empty where nothing is. One edit from "gpu" lies "cpu".
std::string_view called_here(std::string_view word);

// The candidate that called_here() names; or the first with the fewest edits, if those are within slip_limit(word); empty otherwise. The
// view is into `candidates`, a range of things that convert to string_view.
template <class Range>
std::string_view nearest(std::string_view word, const Range& candidates) {
  std::string_view best;
  size_t best_distance = slip_limit(word) + 1;
  const std::string_view other_word = called_here(word);
  for (const auto& candidate : candidates) {
    const std::string_view spelling = candidate;
    if (!other_word.empty() && spelling == other_word) return spelling;
    const size_t gap = spelling.size() > word.size() ? spelling.size() - word.size() : word.size() - spelling.size();
    if (gap >= best_distance) continue;
    const size_t distance = edit_distance(word, spelling);
    if (distance < best_distance) best = spelling, best_distance = distance;
  }
  return best;
}

// `; did you mean "embed.weight"?`, or nothing when no candidate is near.
template <class Range>
std::string did_you_mean(std::string_view word, const Range& candidates) {
  const std::string_view best = nearest(word, candidates);
  return best.empty() ? std::string() : "; did you mean \"" + std::string(best) + "\"?";
}

}  // namespace reloadlab
