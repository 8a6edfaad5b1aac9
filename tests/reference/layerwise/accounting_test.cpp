// Write sets against a set of single bytes.
#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>

#include "reference/layerwise/accounting/indexed.h"
#include "reference/layerwise/accounting/write_set.h"
#include "reference/layerwise/accounting/write_tracker.h"

namespace reloadlab::layerwise {
namespace {

using Bytes = std::set<int64_t>;

void add_bytes(const Footprint& footprint, Bytes& out) {
  if (footprint.empty) return;
  std::vector<int64_t> offsets{footprint.start};
  for (const Progression& dim : footprint.dims) {
    const size_t before = offsets.size();
    for (int64_t i = 1; i < dim.count; ++i)
      for (size_t j = 0; j < before; ++j) offsets.push_back(offsets[j] + i * dim.stride);
  }
  out.insert(offsets.begin(), offsets.end());
}

// The tensor's bytes, element by element.
Bytes bytes_of(const at::Tensor& tensor) {
  std::vector<int64_t> offsets{tensor.storage_offset()};
  for (int64_t dim = 0; dim < tensor.dim(); ++dim) {
    const size_t before = offsets.size();
    if (tensor.size(dim) == 0) offsets.clear();
    for (int64_t i = 1; i < tensor.size(dim); ++i)
      for (size_t j = 0; j < before; ++j) offsets.push_back(offsets[j] + i * tensor.stride(dim));
  }
  Bytes bytes;
  const auto item = static_cast<int64_t>(tensor.itemsize());
  for (int64_t offset : offsets)
    for (int64_t i = 0; i < item; ++i) bytes.insert(offset * item + i);
  return bytes;
}

at::Tensor any_tensor() {
  std::vector<int64_t> sizes(*rc::gen::inRange<size_t>(1, 4));
  for (int64_t& size : sizes) size = *rc::gen::inRange<int64_t>(1, 7);
  const at::ScalarType types[] = {at::kByte, at::kBFloat16, at::kFloat};
  return at::empty(sizes, at::TensorOptions(types[*rc::gen::inRange(0, 3)]).device(at::kMeta));
}

// A view as loaders make them: narrowed, stepped, selected, transposed, flattened, split, seen as bytes.
at::Tensor any_view(const at::Tensor& base) {
  at::Tensor view = base;
  const int steps = *rc::gen::inRange(0, 4);
  for (int step = 0; step < steps && view.dim() > 0 && view.numel() > 0; ++step) {
    const auto dim = *rc::gen::inRange<int64_t>(0, view.dim());
    const auto start = *rc::gen::inRange<int64_t>(0, view.size(dim));
    switch (*rc::gen::inRange(0, 7)) {
      case 0:
        view = view.narrow(dim, start, *rc::gen::inRange<int64_t>(0, view.size(dim) - start + 1));
        break;
      case 1:
        view = view.slice(dim, start, std::nullopt, *rc::gen::inRange<int64_t>(1, 4));
        break;
      case 2:
        view = view.select(dim, start);
        break;
      case 3:
        view = view.transpose(dim, *rc::gen::inRange<int64_t>(0, view.dim()));
        break;
      case 4:
        if (view.is_contiguous()) view = view.view(-1);
        break;
      case 5:
        if (view.size(dim) % 2 == 0) view = view.unflatten(dim, {2, view.size(dim) / 2});
        break;
      case 6:
        if (view.is_contiguous() && view.stride(-1) == 1) view = view.view(at::kByte);
        break;
    }
  }
  return view;
}

TEST(Footprint, IsExactlyTheViewsBytes) {
  EXPECT_TRUE(rc::check([] {
    const at::Tensor base = any_tensor(), view = any_view(base);
    std::vector<Footprint> footprints;
    RC_ASSERT(append_footprints(view, footprints).ok());
    Bytes bytes;
    int64_t count = 0;
    for (const Footprint& footprint : footprints) {
      add_bytes(footprint, bytes);
      count += footprint.bytes();
    }
    RC_ASSERT(bytes == bytes_of(view));
    RC_ASSERT(count == static_cast<int64_t>(bytes.size()));
  }));
}

TEST(Footprint, BoxesOfAFootprintAreDisjointAndTheWhole) {
  EXPECT_TRUE(rc::check([] {
    const at::Tensor base = any_tensor();
    IndexSpace space(base);
    for (int i = 0; i < 3; ++i) {
      std::vector<Footprint> footprints;
      RC_ASSERT(append_footprints(any_view(base), footprints).ok());
      for (const Footprint& footprint : footprints) {
        if (*rc::gen::arbitrary<bool>()) space.refine(footprint);
        Bytes parts, whole;
        int64_t count = 0;
        space.for_each_box(footprint, [&](const Box& box) {
          add_bytes(space.footprint(box), parts);
          count += space.bytes(box);
        });
        add_bytes(footprint, whole);
        RC_ASSERT(parts == whole);
        RC_ASSERT(count == static_cast<int64_t>(whole.size()));
      }
    }
  }));
}

TEST(WriteSet, EqualsASetOfBytes) {
  EXPECT_TRUE(rc::check([] {
    const at::Tensor base = any_tensor();
    WriteSet set{IndexSpace(base)};
    Bytes bytes;
    const int writes = *rc::gen::inRange(1, 12);
    for (int i = 0; i < writes; ++i) {
      std::vector<Footprint> footprints;
      RC_ASSERT(append_footprints(any_view(base), footprints).ok());
      for (const Footprint& footprint : footprints) {
        Bytes written, fresh, gaps;
        add_bytes(footprint, written);
        for (int64_t byte : written)
          if (!bytes.contains(byte)) fresh.insert(byte);
        RC_ASSERT(set.covered(footprint) == static_cast<int64_t>(written.size() - fresh.size()));
        set.for_each_gap(footprint, [&](const Footprint& gap) { add_bytes(gap, gaps); });
        RC_ASSERT(gaps == fresh);
        RC_ASSERT(set.add(footprint) == static_cast<int64_t>(fresh.size()));
        bytes.insert(written.begin(), written.end());
        RC_ASSERT(set.bytes() == static_cast<int64_t>(bytes.size()));
      }
    }
    Bytes parts;
    int64_t count = 0;
    set.for_each_part([&](const Footprint& part) {
      add_bytes(part, parts);
      count += part.bytes();
    });
    RC_ASSERT(parts == bytes);
    RC_ASSERT(count == set.bytes());
    RC_ASSERT(WriteSet(set).bytes() == set.bytes());
  }));
}

// The tensor split into boxes of its own shape's divisors, in any order, ends as few intervals.
TEST(WriteSet, ShardsInAnyOrderGrowTogether) {
  EXPECT_TRUE(rc::check([] {
    const at::Tensor base = at::empty({16, 8}, at::TensorOptions(at::kBFloat16).device(at::kMeta));
    const auto dim = *rc::gen::inRange<int64_t>(0, 2);
    std::vector<int64_t> starts;
    for (int64_t start = 0; start < base.size(dim); start += 2) starts.push_back(start);
    for (size_t i = starts.size(); i > 1; --i) std::swap(starts[i - 1], starts[*rc::gen::inRange<size_t>(0, i)]);
    WriteSet set{IndexSpace(base)};
    for (int64_t start : starts) {
      std::vector<Footprint> footprints;
      RC_ASSERT(append_footprints(base.narrow(dim, start, 2), footprints).ok());
      RC_ASSERT(set.add(footprints.at(0)) == 2 * base.numel() / base.size(dim) * 2);
    }
    RC_ASSERT(set.intervals() == 1);
  }));
}

TEST(Footprint, RefusesWhatMetaAcceptsInSilence) {
  const at::Tensor base = at::empty({4, 6}, at::TensorOptions(at::kFloat).device(at::kMeta));
  std::vector<Footprint> out;
  auto message = [&](const at::Tensor& view) { return append_footprints(view, out).message(); };
  EXPECT_NE(std::string::npos, message(base.narrow(0, 0, 1).expand({4, 6})).find("is expanded"));
  EXPECT_NE(std::string::npos, message(base.as_strided({4, 6}, {1, 1})).find("overlaps itself"));
  EXPECT_NE(std::string::npos, message(base.as_strided({4, 6}, {6, 1}, 1)).find("reaches beyond"));
  EXPECT_TRUE(out.empty());
}

TEST(Footprint, InterleavedStridesBecomeSortedRuns) {
  const at::Tensor base = at::empty({12}, at::TensorOptions(at::kByte).device(at::kMeta));
  std::vector<Footprint> out;
  ASSERT_TRUE(append_footprints(base.as_strided({2, 3}, {3, 2}), out).ok());  // 0 2 4 3 5 7
  Bytes bytes;
  for (const Footprint& run : out) add_bytes(run, bytes);
  EXPECT_EQ((Bytes{0, 2, 3, 4, 5, 7}), bytes);
  EXPECT_EQ(3u, out.size());
}

at::Tensor host(at::ScalarType type, std::vector<int64_t> sizes) { return at::empty(sizes, at::TensorOptions(type)); }

TEST(Indexed, WritesAreWhatTheirValuesName) {
  EXPECT_TRUE(rc::check([] {
    const at::Tensor base = at::empty({5, 3}, at::TensorOptions(at::kBFloat16).device(at::kMeta));
    const auto dim = *rc::gen::inRange<int64_t>(0, 2);
    at::Tensor index = host(at::kLong, {*rc::gen::inRange<int64_t>(1, 6)});
    Bytes expected;
    for (int64_t i = 0; i < index.size(0); ++i) {
      const auto value = *rc::gen::inRange<int64_t>(-base.size(dim), base.size(dim));
      index.data_ptr<int64_t>()[i] = value;
      const Bytes slice = bytes_of(base.select(dim, value < 0 ? value + base.size(dim) : value));
      expected.insert(slice.begin(), slice.end());
    }
    std::vector<Footprint> out;
    RC_ASSERT(append_index_dim(base, dim, index, out).ok());
    Bytes bytes;
    for (const Footprint& footprint : out) add_bytes(footprint, bytes);
    RC_ASSERT(bytes == expected);
    if (dim != 0) return;
    out.clear();
    bytes.clear();
    c10::List<std::optional<at::Tensor>> indices;
    indices.push_back(index);
    RC_ASSERT(append_index_put(base, c10::IValue(indices), out).ok());
    for (const Footprint& footprint : out) add_bytes(footprint, bytes);
    RC_ASSERT(bytes == expected);
  }));
}

TEST(Indexed, MasksAreReadByValueAndBroadcast) {
  EXPECT_TRUE(rc::check([] {
    const at::Tensor base = at::empty({4, 3}, at::TensorOptions(at::kFloat).device(at::kMeta)).transpose(0, 1);
    const bool row_only = *rc::gen::arbitrary<bool>();
    at::Tensor mask = host(at::kBool, row_only ? std::vector<int64_t>{4} : std::vector<int64_t>{3, 4});
    for (int64_t i = 0; i < mask.numel(); ++i) mask.data_ptr<bool>()[i] = *rc::gen::arbitrary<bool>();
    Bytes expected;
    for (int64_t row = 0; row < 3; ++row)
      for (int64_t column = 0; column < 4; ++column)
        if (mask.data_ptr<bool>()[row_only ? column : row * 4 + column]) {
          const Bytes one = bytes_of(base.select(0, row).select(0, column));
          expected.insert(one.begin(), one.end());
        }
    std::vector<Footprint> out;
    RC_ASSERT(append_masked(base, mask, out).ok());
    Bytes bytes;
    for (const Footprint& footprint : out) add_bytes(footprint, bytes);
    RC_ASSERT(bytes == expected);
  }));
}

TEST(Indexed, PairsOfIndicesNameElements) {
  const at::Tensor base = at::empty({3, 4}, at::TensorOptions(at::kByte).device(at::kMeta));
  c10::List<std::optional<at::Tensor>> indices;
  indices.push_back(at::arange(3));
  indices.push_back(at::arange(3));
  std::vector<Footprint> out;
  ASSERT_TRUE(append_index_put(base, c10::IValue(indices), out).ok());
  Bytes bytes;
  for (const Footprint& footprint : out) add_bytes(footprint, bytes);
  EXPECT_EQ((Bytes{0, 5, 10}), bytes);
}

// The tracker sees what operators write, through the tap.
class Tracking : public ::testing::Test {
 protected:
  Bytes written(const std::function<void()>& call) {
    tracker.watch(base.storage().unsafeGetStorageImpl(), this);
    tracker.start();
    model::TapGuard tap(model::Tap::engine, tracker);
    call();
    Bytes bytes;
    for (const Write& write : tracker.writes()) add_bytes(write.footprint, bytes);
    return bytes;
  }
  at::Tensor base = at::empty({4, 6}, at::TensorOptions(at::kByte).device(at::kMeta));
  at::Tensor other = at::empty({4, 6}, at::TensorOptions(at::kByte).device(at::kMeta));
  WriteTracker tracker{WriteTracker::Unaccountable::refuse};
};

TEST_F(Tracking, SeesOverwritesOfWatchedStoragesOnly) {
  EXPECT_EQ(bytes_of(base), written([&] { base.copy_(other); }));
  EXPECT_EQ(bytes_of(base.narrow(1, 2, 3)), written([&] { base.narrow(1, 2, 3).fill_(1); }));
  EXPECT_EQ(bytes_of(base.select(0, 1)), written([&] { base.select(0, 1).zero_(); }));
  EXPECT_EQ(Bytes(), written([&] { other.copy_(base); }));
  const std::vector<at::Tensor> both{base.select(0, 0), other.select(0, 0)}, from{other.select(0, 1), other.select(0, 2)};
  EXPECT_EQ(bytes_of(base.select(0, 0)), written([&] { at::_foreach_copy_(both, from); }));
}

TEST_F(Tracking, DoesNotBelieveThatIndexPutWritesEverything) {
  c10::List<std::optional<at::Tensor>> indices;
  indices.push_back(at::arange(1, 3));
  EXPECT_EQ(bytes_of(base.narrow(0, 1, 2)), written([&] { base.index_put_(indices, other.narrow(0, 1, 2)); }));
}

TEST_F(Tracking, RefusesWhatIsNotInTheTableBeforeItRuns) {
  EXPECT_THROW(written([&] { base.cumsum_(0); }), std::exception);
  EXPECT_EQ(Code::rejected, tracker.refusal().code());
  EXPECT_NE(std::string::npos, tracker.refusal().message().find("unaccountable"));
  EXPECT_THROW(written([&] { base.set_(other); }), std::exception);
  EXPECT_NE(std::string::npos, tracker.refusal().message().find("another storage"));
  c10::List<std::optional<at::Tensor>> indices;
  indices.push_back(at::arange(2));
  EXPECT_THROW(written([&] { base.index_put_(indices, other.narrow(0, 0, 2), /*accumulate=*/true); }), std::exception);
}

TEST_F(Tracking, TellsTransformsFromOverwrites) {
  written([&] {
    base.copy_(other);
    base.neg_();
  });
  ASSERT_EQ(2u, tracker.writes().size());
  EXPECT_FALSE(tracker.writes()[0].transform);
  EXPECT_TRUE(tracker.writes()[1].transform);
}

}  // namespace
}  // namespace reloadlab::layerwise
