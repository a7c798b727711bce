// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <vector>

#include <dumpwriter/job/block_stream.h>

namespace doppel {
namespace {

constexpr std::size_t kBlock = 256 << 10;
constexpr std::size_t kPage = 4096;

std::vector<Block> blocks_of(const DumpPlan& plan, std::size_t block_size = kBlock) {
  BlockStream stream(plan, block_size);
  std::vector<Block> all;
  Block block;
  std::uint64_t offset = 0;
  while (stream.next(block)) {
    EXPECT_EQ(block.offset, offset);
    EXPECT_LE(block.size, block_size);
    std::size_t size = 0;
    for (const BlockPart& part : block.parts) size += part.size;
    EXPECT_EQ(size, block.size);
    offset += block.size;
    all.push_back(block);
  }
  EXPECT_EQ(offset, stream.total());
  EXPECT_FALSE(stream.next(block));
  return all;
}

FromMemory memory(std::uint64_t begin, std::uint64_t size) {
  return {{{begin}, size}};
}

TEST(BlockStream, NothingIsNothing) {
  EXPECT_TRUE(blocks_of({}).empty());
  EXPECT_TRUE(blocks_of({{Literal{}, Zeros{0}, memory(0x1000, 0)}}).empty());
}

TEST(BlockStream, HeadersAreBlocksOfTheirOwn) {
  const DumpPlan plan{{Literal{std::vector<std::byte>(100)}, Literal{std::vector<std::byte>(200)},
                       Zeros{kPage - 300}, memory(0x10000, kPage)}};
  const std::vector<Block> blocks = blocks_of(plan);
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_EQ(blocks[0].size, 300u);
  EXPECT_EQ(blocks[1].size, 2 * kPage - 300);
}

TEST(BlockStream, ALongPieceIsCutBetweenPages) {
  // The zeros before it are no whole page, so a cut at the block's size would divide one.
  const DumpPlan plan{{Zeros{100}, memory(0x10000, 3 * kBlock)}};
  for (const Block& block : blocks_of(plan)) {
    for (const BlockPart& part : block.parts) {
      if (part.kind != BlockPart::Kind::memory) continue;
      EXPECT_EQ(part.range->begin.value % kPage, 0u);
      EXPECT_EQ(part.size % kPage, 0u);
    }
  }
}

TEST(BlockStream, AnUnalignedPieceLosesNothing) {
  const DumpPlan plan{{memory(0x10001, kBlock), memory(0x90fff, 2 * kBlock + 3)}};
  for (const std::size_t size : {kPage, 2 * kPage, kBlock}) {
    std::vector<AddressRange> joined;
    for (const Block& block : blocks_of(plan, size)) {
      for (const BlockPart& part : block.parts) {
        if (!joined.empty() && joined.back().end() == part.range->begin.value) {
          joined.back().size += part.size;
        } else {
          joined.push_back(*part.range);
        }
      }
    }
    const std::vector<AddressRange> expected = {{{0x10001}, kBlock}, {{0x90fff}, 2 * kBlock + 3}};
    EXPECT_EQ(joined, expected);
  }
}

TEST(BlockStream, AStretchStartsABlockUnlessTheOneBeforeIsSmall) {
  const DumpPlan plan{{memory(0x100000, kPage), memory(0x200000, kPage),
                       memory(0x300000, 100 << 10), memory(0x400000, 8 * kPage)}};
  const std::vector<Block> blocks = blocks_of(plan);
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_EQ(blocks[0].parts.size(), 3u);
  EXPECT_EQ(blocks[1].parts[0].range->begin.value, 0x400000u);
}

TEST(BlockStream, ZerosBetweenNeighboursHaveAPlace) {
  const DumpPlan plan{{memory(0x10000, kPage), Zeros{2 * kPage}, memory(0x13000, kPage),
                       Zeros{kPage}, memory(0x90000, kPage), Zeros{kPage}}};
  const std::vector<Block> blocks = blocks_of(plan);
  ASSERT_EQ(blocks.size(), 1u);
  const std::vector<BlockPart>& parts = blocks[0].parts;
  ASSERT_EQ(parts.size(), 6u);
  EXPECT_EQ(parts[1].range, (AddressRange{{0x11000}, 2 * kPage}));
  EXPECT_FALSE(parts[3].range);  // padding, for all we know
  EXPECT_FALSE(parts[5].range);
}

TEST(BlockStream, KnowsWhereTheHeadersEnd) {
  const DumpPlan plan{{Literal{}, Literal{std::vector<std::byte>(2 * kPage)}, Zeros{5},
                       Literal{std::vector<std::byte>(3)}}};
  BlockStream stream(plan, kPage);
  Block block;
  EXPECT_TRUE(stream.next_is_header());
  ASSERT_TRUE(stream.next(block));
  EXPECT_TRUE(stream.next_is_header());
  ASSERT_TRUE(stream.next(block));
  EXPECT_FALSE(stream.next_is_header());
  ASSERT_TRUE(stream.next(block));
  EXPECT_FALSE(stream.next_is_header());
  ASSERT_TRUE(stream.next(block));
  EXPECT_FALSE(stream.next(block));
  EXPECT_FALSE(stream.next_is_header());
}

TEST(BlockStream, TheLastPageOfTheAddressSpace) {
  const DumpPlan plan{{memory(~0ull - kPage + 1, kPage)}};
  const std::vector<Block> blocks = blocks_of(plan);
  ASSERT_EQ(blocks.size(), 1u);
  EXPECT_EQ(blocks[0].parts[0].range->end(), 0u);
}

}  // namespace
}  // namespace doppel
