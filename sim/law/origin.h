#pragma once
// Where an element of a tensor comes from, as the plan's arithmetic says. Texts go behind "should be 1.5".
#include <optional>

#include "sim/law/reading.h"

namespace reloadlab::sim {

// Which element of which delivery the plan puts at that place of the slot: "blocks.0.k_proj.weight [32, 0]"; empty: none.
// `within`: by what was sent in those steps.
std::string source_text(const Evidence& evidence, size_t rank, std::string_view path, const Shape& shape, int64_t flat,
                        std::optional<StepRange> within = {});

// Where the element of a tensor at rest comes from under the checkpoint, also after a post-load step that the layer's quantization
// declares to be a permutation: ", from B: blocks.0.k_proj.weight [32, 0]". Says so where there is no single source.
std::string origin_text(const Evidence& evidence, size_t rank, const CensusEntry& entry, const std::string& checkpoint, int64_t flat,
                        std::optional<StepRange> within = {});

// Of an element that an update that began with `step` leaves alone: " as before the update, from A: blocks.0.k_proj.weight [32, 0]".
std::string before_text(const Evidence& evidence, size_t rank, const CensusEntry& entry, int step, int64_t flat);

// Of an element after a partial update: origin_text() where it was sent, before_text() where it was not.
std::string overlay_text(const Evidence& evidence, size_t rank, const CensusEntry& entry, StepRange update, const std::string& checkpoint,
                         int64_t flat);

}  // namespace reloadlab::sim
