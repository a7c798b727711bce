// SPDX-License-Identifier: Apache-2.0
//
// Rules that hold for every image and every memory, tried on made-up ones: nothing is lost without
// a word, nothing is taken that must not be, and what a format relies on is true.
#include <gtest/gtest.h>

#include <random>

#include <dumpwriter/plan/page.h>
#include <dumpwriter/plan/selection.h>
#include <tests/support/fake_memory.h>
#include <tests/support/image_builder.h>

namespace doppel {
namespace {

constexpr std::uint64_t kPages = 2000;

class World {
 public:
  explicit World(unsigned seed) : random_(seed) {
    std::uint64_t at = 0x10000000;
    for (int i = 0; i < 12; ++i) {
      at += pick(3) * kPageSize;
      const std::uint64_t size = (1 + pick(kPages)) * kPageSize;
      builder_.region(make_region(at, size));
      fill(at, size);
      at += size;
    }
    for (int i = 0; i < 3; ++i) {
      builder_.thread(4711 + i, 0x10000000 + pick(12 * kPages * kPageSize));
      builder_.image().threads.back().registers.general.rdi =
          0x10000000 + pick(12 * kPages * kPageSize);
    }
    policy_.zero_run = (1 + pick(400)) * kPageSize;
    if (pick(2) == 0) policy_.filter = pick(512);
    policy_.omit_shared = pick(4) == 0;
  }

  ProcessImage image() const { return builder_.build(); }

  const FakeMemory& memory() const { return memory_; }

  const SelectionPolicy& policy() const { return policy_; }

 private:
  std::uint64_t pick(std::uint64_t below) {
    return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random_);
  }

  Region make_region(std::uint64_t at, std::uint64_t size) {
    Region region = pick(3) == 0 ? file_region(at, size, "/lib/x.so", pick(2) * kPageSize)
                                 : anonymous_region(at, size);
    if (pick(4) == 0) region = shared_region(at, size);
    if (region.backing == Backing::file && pick(3) == 0) region.anonymous = kPageSize;
    region.traits.dont_dump = pick(10) == 0;
    region.traits.huge_tlb = pick(10) == 0;
    region.traits.wipe_on_fork = pick(10) == 0;
    return region;
  }

  void fill(std::uint64_t at, std::uint64_t size) {
    std::uint64_t done = 0;
    while (done < size) {
      const std::uint64_t part = std::min(size - done, (1 + pick(700)) * kPageSize);
      switch (pick(4)) {
        case 0:
          memory_.unreadable(at + done, part);
          break;
        case 1:
          memory_.untouched(at + done, part);
          break;
        default:
          memory_.fill(at + done, part, 1);
          break;
      }
      done += part;
    }
  }

  std::mt19937_64 random_;
  ImageBuilder builder_;
  FakeMemory memory_;
  SelectionPolicy policy_;
};

class SelectionProperty : public testing::TestWithParam<unsigned> {};

TEST_P(SelectionProperty, Holds) {
  const World world(GetParam());
  const ProcessImage image = world.image();
  const Result<Selection> selection = select(image, world.memory(), world.policy());
  ASSERT_TRUE(selection.has_value());

  const auto said = [&](const AddressRange& range) -> std::vector<Extent> {
    Result<std::vector<Extent>> extents = world.memory().survey(range);
    EXPECT_TRUE(extents.has_value());
    return extents ? std::move(*extents) : std::vector<Extent>{};
  };
  std::vector<AddressRange> told;
  std::uint64_t floor = 0;
  for (const Segment& segment : selection->segments) {
    // In order, whole pages, within its region.
    EXPECT_GE(segment.range.begin.value, floor);
    EXPECT_GT(segment.range.size, 0u);
    EXPECT_EQ(segment.range.begin.value % kPageSize, 0u);
    EXPECT_EQ(segment.range.size % kPageSize, 0u);
    floor = segment.range.end();
    ASSERT_LT(segment.region, image.regions.size());
    const Region& region = image.regions[segment.region];
    EXPECT_GE(segment.range.begin, region.range.begin);
    EXPECT_LE(segment.range.end(), region.range.end());
    told.push_back(segment.range);
    // Nothing that must not be written.
    EXPECT_FALSE(region.traits.dont_dump || region.traits.wipe_on_fork);

    std::uint64_t at = segment.range.begin.value;
    for (const Extent& piece : segment.pieces) {
      EXPECT_EQ(piece.range.begin.value, at);
      at = piece.range.end();
      // Each piece is what the memory says, except that files do not start as zeros.
      for (const Extent& extent : said(piece.range)) {
        if (piece.kind == Extent::Kind::untouched) {
          EXPECT_EQ(extent.kind, Extent::Kind::untouched);
          EXPECT_LT(piece.range.size, world.policy().zero_run);
          EXPECT_NE(region.backing, Backing::file);
        } else {
          EXPECT_TRUE(extent.kind == Extent::Kind::data || region.backing == Backing::file);
          EXPECT_NE(extent.kind, Extent::Kind::unreadable);
        }
      }
    }
    EXPECT_EQ(at,
              segment.content == Content::bytes ? segment.range.end() : segment.range.begin.value);
    if (segment.content == Content::zero) {
      EXPECT_GE(segment.range.size, world.policy().zero_run);
      for (const Extent& extent : said(segment.range)) {
        EXPECT_EQ(extent.kind, Extent::Kind::untouched);
      }
    }
    if (segment.content == Content::in_file) {
      EXPECT_EQ(region.backing, Backing::file);
      EXPECT_FALSE(region.deleted);
      EXPECT_EQ(region.anonymous, 0u);
    }
  }
  for (const Omission& omission : selection->omissions) {
    EXPECT_NE(omission.why, "");
    told.push_back(omission.range);
  }

  // Every byte of every region is in a segment or in an omission.
  std::vector<AddressRange> regions;
  for (const Region& region : image.regions) regions.push_back(region.range);
  EXPECT_TRUE(sorted_union(told) == sorted_union(regions));
}

INSTANTIATE_TEST_SUITE_P(Seeds, SelectionProperty, testing::Range(0u, 200u));

}  // namespace
}  // namespace doppel
