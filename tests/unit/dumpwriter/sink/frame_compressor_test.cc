// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <zstd.h>

#include <vector>

#include <dumpwriter/sink/frame_compressor.h>

namespace doppel {
namespace {

TEST(FrameCompressor, FramesAreIndependentSizedAndChecked) {
  std::vector<std::byte> plain(200000);
  for (std::size_t i = 0; i < plain.size(); ++i) plain[i] = static_cast<std::byte>(i * i / 7);
  for (const int level : {FrameCompressor::min_level(), -1, 1, 3, FrameCompressor::max_level()}) {
    Result<FrameCompressor> compressor = FrameCompressor::create(level);
    ASSERT_TRUE(compressor);
    for (int round = 0; round < 2; ++round) {
      std::vector<std::byte> frame(FrameCompressor::bound(plain.size()));
      const Result<std::size_t> size = compressor->compress(plain, frame);
      ASSERT_TRUE(size);
      EXPECT_EQ(ZSTD_getFrameContentSize(frame.data(), *size), plain.size());
      EXPECT_EQ(ZSTD_findFrameCompressedSize(frame.data(), *size), *size);
      std::vector<std::byte> back(plain.size());
      ASSERT_EQ(ZSTD_decompress(back.data(), back.size(), frame.data(), *size), plain.size());
      EXPECT_EQ(back, plain);
      frame[*size - 1] ^= std::byte{1};  // in the checksum
      EXPECT_TRUE(ZSTD_isError(ZSTD_decompress(back.data(), back.size(), frame.data(), *size)));
    }
  }
}

TEST(FrameCompressor, LevelsOutOfBoundsAreRefused) {
  for (const int level : {FrameCompressor::min_level() - 1, FrameCompressor::max_level() + 1}) {
    const Result<FrameCompressor> compressor = FrameCompressor::create(level);
    ASSERT_FALSE(compressor);
    EXPECT_EQ(compressor.error().code, Errc::limit);
  }
}

TEST(FrameCompressor, TooLittleRoomIsAnError) {
  Result<FrameCompressor> compressor = FrameCompressor::create(1);
  ASSERT_TRUE(compressor);
  const std::vector<std::byte> plain(1000, std::byte{3});
  std::vector<std::byte> frame(4);
  const Result<std::size_t> size = compressor->compress(plain, frame);
  ASSERT_FALSE(size);
  EXPECT_EQ(size.error().code, Errc::limit);
}

}  // namespace
}  // namespace doppel
