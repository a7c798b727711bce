// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include <dumpwriter/read/zstd_source.h>
#include <tests/unit/dumpwriter/read/bytes_source.h>
#include <tests/unit/dumpwriter/read/frames.h>

namespace doppel::test {
namespace {

constexpr std::size_t kFrame = 100000;

struct Packed {
  Bytes plain;
  Bytes file;

  explicit Packed(std::size_t frames) {
    std::mt19937 random(11);
    plain.resize(frames * kFrame);
    for (std::byte& byte : plain) byte = static_cast<std::byte>(random() % 17);
    for (std::size_t i = 0; i < frames; ++i) {
      const auto begin = plain.begin() + static_cast<std::ptrdiff_t>(i * kFrame);
      append(file, frame_of(Bytes(begin, begin + kFrame)));
    }
  }

  std::unique_ptr<ZstdSource> source() const {
    auto bytes = std::make_unique<BytesSource>(file);
    FrameIndex index = index_frames(*bytes).value_or(FrameIndex{});
    return std::make_unique<ZstdSource>(std::move(bytes), std::move(index));
  }
};

TEST(ZstdSource, AnyPieceFromManyThreads) {
  const Packed packed(7);
  const std::unique_ptr<ZstdSource> source = packed.source();
  ASSERT_EQ(source->size(), packed.plain.size());
  std::vector<std::jthread> threads;
  for (unsigned seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      std::mt19937_64 random(seed);
      for (int i = 0; i < 100; ++i) {
        const std::size_t offset = random() % packed.plain.size();
        const std::size_t size = random() % (i % 10 == 0 ? 3 * kFrame : 5000);
        Bytes bytes(size);
        const Result<std::size_t> count = source->read(offset, bytes);
        ASSERT_TRUE(count);
        ASSERT_EQ(*count, std::min(size, packed.plain.size() - offset));
        ASSERT_TRUE(std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(*count),
                               packed.plain.begin() + static_cast<std::ptrdiff_t>(offset)));
      }
    });
  }
}

TEST(ZstdSource, TheEndIsTheEnd) {
  const Packed packed(2);
  const std::unique_ptr<ZstdSource> source = packed.source();
  Bytes bytes(10);
  EXPECT_EQ(source->read(2 * kFrame, bytes).value_or(9), 0u);
  EXPECT_EQ(source->read(~0ull, bytes).value_or(9), 0u);
  EXPECT_EQ(source->read(2 * kFrame - 3, bytes).value_or(9), 3u);
  EXPECT_EQ(source->read_all(2 * kFrame - 3, bytes).error().code, Errc::malformed);
}

TEST(ZstdSource, AFrameIsDecompressedOnceForManySmallReads) {
  const Packed packed(3);
  auto bytes = std::make_unique<BytesSource>(packed.file);
  const BytesSource* const counter = bytes.get();
  FrameIndex index = index_frames(*bytes).value_or(FrameIndex{});
  const std::uint64_t frame_size = index.frames[1].size;
  const ZstdSource source(std::move(bytes), std::move(index));
  const std::uint64_t before = counter->bytes_read;
  Bytes piece(100);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(source.read(kFrame + static_cast<std::uint64_t>(i) * 900, piece));
  }
  EXPECT_EQ(counter->bytes_read - before, frame_size);
}

TEST(ZstdSource, TheCacheIsBounded) {
  // 300 frames of 100 000 bytes are 30 MB; the cache has 16. The first is gone at the end.
  const Packed packed(300);
  auto bytes = std::make_unique<BytesSource>(packed.file);
  const BytesSource* const counter = bytes.get();
  FrameIndex index = index_frames(*bytes).value_or(FrameIndex{});
  const ZstdSource source(std::move(bytes), std::move(index));
  Bytes piece(10);
  for (std::uint64_t i = 0; i < 300; ++i) ASSERT_TRUE(source.read(i * kFrame, piece));
  const std::uint64_t before = counter->bytes_read;
  ASSERT_TRUE(source.read(299 * kFrame, piece));
  EXPECT_EQ(counter->bytes_read, before);
  ASSERT_TRUE(source.read(0, piece));
  EXPECT_GT(counter->bytes_read, before);
}

TEST(ZstdSource, DamageIsAnErrorAndOnlyWhereItIs) {
  Packed packed(3);
  const FrameIndex index = index_frames(BytesSource(packed.file)).value_or(FrameIndex{});
  packed.file[index.frames[1].offset + index.frames[1].size / 2] ^= std::byte{0x40};
  const std::unique_ptr<ZstdSource> source = packed.source();
  Bytes bytes(100);
  EXPECT_TRUE(source->read(5, bytes));
  EXPECT_EQ(source->read(kFrame + 5, bytes).error().code, Errc::malformed);
  EXPECT_TRUE(source->read(2 * kFrame + 5, bytes));
}

TEST(ZstdSource, ATableThatLiesAboutContentsIsFoundOut) {
  const Packed packed(1);
  for (const std::uint32_t told : {100u, 99999u, 100001u, 60u << 20}) {
    Bytes file = packed.file;
    append(file, table_of({{static_cast<std::uint32_t>(file.size()), told}}));
    auto bytes = std::make_unique<BytesSource>(file);
    FrameIndex index = index_frames(*bytes).value_or(FrameIndex{});
    ASSERT_TRUE(index.from_table);
    const ZstdSource source(std::move(bytes), std::move(index));
    Bytes piece(10);
    EXPECT_EQ(source.read(5, piece).error().code, Errc::malformed);
  }
}

}  // namespace
}  // namespace doppel::test
