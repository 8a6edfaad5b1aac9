#pragma once
// Why: what plan and events together tell about a tensor that came out wrong. Hints of the candidate add words, never a judgement.
#include "sim/law/reading.h"

namespace reloadlab::sim {

// The mechanism behind a wrong layer after the step, "completed at load 3 of 4: 6,144 elements counted, 4,096 of them distinct
// (blocks.0.q_proj.weight arrived twice)"; empty when the events say nothing.
std::string explain(const Evidence& evidence, const Execution& execution, size_t rank, int step, std::string_view layer);

// Which element of which delivery the plan puts at that place of the slot: "blocks.0.k_proj.weight [32, 0]"; empty: none.
std::string source_text(const Evidence& evidence, size_t rank, std::string_view path, const Shape& shape, int64_t flat);

// Where the element of a tensor at rest comes from under the checkpoint, also after a post-load step that the layer's quantization
// declares to be a permutation: ", from B: blocks.0.k_proj.weight [32, 0]". Says so where there is no single source.
std::string origin_text(const Evidence& evidence, size_t rank, const CensusEntry& entry, const std::string& checkpoint, int64_t flat);

}  // namespace reloadlab::sim
