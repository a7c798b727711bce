// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <vector>

#include <snapshot/executive/cpu/decode_cache.h>

namespace doppel {
namespace {

struct DecodeCacheTest : testing::Test {
  std::vector<std::byte> bytes = std::vector<std::byte>(kGuestPageSize, std::byte{0x90});
  CodePage page{bytes.data(), 7, 1};
  DecodeCache cache;
};

TEST_F(DecodeCacheTest, DecodesOnceForEachFrameAndPlace) {
  ASSERT_NE(cache.find(page, 0), nullptr);
  ASSERT_NE(cache.find(page, 0), nullptr);
  EXPECT_EQ(cache.decoded(), 1u);
  cache.find(page, 1);
  CodePage other = page;
  other.frame = 8;
  cache.find(other, 0);
  cache.find(page, 0);
  EXPECT_EQ(cache.decoded(), 3u);
}

TEST_F(DecodeCacheTest, ForgetsAPageThatWasWritten) {
  EXPECT_EQ(cache.find(page, 0)->operation, Operation::nop);
  bytes[0] = std::byte{0xcc};
  page.version = 2;
  EXPECT_EQ(cache.find(page, 0)->operation, Operation::int3);
}

TEST_F(DecodeCacheTest, KeepsNothingThatRunsOverThePage) {
  bytes[4095] = std::byte{0xe9};
  EXPECT_EQ(cache.find(page, 4095), nullptr);
}

}  // namespace
}  // namespace doppel
