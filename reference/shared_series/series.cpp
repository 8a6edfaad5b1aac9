#include "reference/shared_series/series.h"

#include <fmt/format.h>

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "reference/model/guard.h"
#include "reference/shared_series/core.h"

namespace reloadlab::shared_series {

Series::Series(const SeriesPolicy& policy, const model::SeriesContext& context)
    : policy_(policy),
      context_(context),
      rank_(context.group->getRank()),
      size_(context.group->getSize()),
      prefetch_(context.prefetch),
      device_(context.device.type()),
      ring_(policy, context.device.type()),
      self_(std::make_shared<Series*>(this)) {
  if (policy_.sequence == Sequence::published) sequence_ = OperationLog::on(context.group);
  for (int64_t rank = 0; rank < size_; ++rank) store_keys_.push_back(fmt::format("shared_series/{}/{}", context.name, rank));
}

// What is in flight writes into windows that are freed now, in the order of the current stream.
Series::~Series() {
  *self_ = nullptr;
  try {
    if (recovers()) ring_.drain(current());
  } catch (...) {  // NOLINT(bugprone-empty-catch): a device that is gone orders nothing
  }
}

// A store that fails takes this check away, and nothing else.
Status Series::end_pass() {
  if (!sequence_ || !context_.store) return {};
  Status difference;
  (void)model::guarded([&] {
    sequence_->publish(*context_.store, store_keys_[static_cast<size_t>(rank_)]);
    difference = sequence_->compare(*context_.store, store_keys_, rank_);
    return Status();
  });
  if (!difference.ok()) stopped_ = difference;
  return difference;
}

Status Series::compare_sequences() {
  if (!sequence_ || !context_.store) return {Code::unsupported, "no store to compare sequences in"};
  return model::guarded([&]() -> Status {
    sequence_->publish(*context_.store, store_keys_[static_cast<size_t>(rank_)]);
    // A rank that stands still may do so because of one that issued something else.
    for (bool behind_too : {false, true})
      for (int64_t rank = 0; rank < size_; ++rank)
        if (rank != rank_)
          RELOADLAB_TRY(sequence_->compare_log(*context_.store, store_keys_[static_cast<size_t>(rank)], rank_, rank, behind_too));
    return Status();
  });
}

std::unique_ptr<SharedSeries> make_series(const SeriesPolicy& policy, const model::SeriesContext& context) {
  return std::make_unique<Series>(policy, context);
}

}  // namespace reloadlab::shared_series
