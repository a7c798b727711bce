// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <snapshot/support/bytes.h>

namespace doppel {
namespace {

using ::testing::ElementsAre;

TEST(BytesTest, IntegersLieLowByteFirst) {
  const ul32 value = 0x11223344;
  EXPECT_THAT(bytes_of(value),
              ElementsAre(std::byte{0x44}, std::byte{0x33}, std::byte{0x22}, std::byte{0x11}));
}

TEST(BytesTest, EveryValueComesBack) {
  for (const std::uint64_t value : {0ull, 1ull, 0x80ull, 0xffull, 0x8000000000000000ull, ~0ull}) {
    EXPECT_EQ(ul64(value), value);
    EXPECT_EQ(ul32(static_cast<std::uint32_t>(value)), static_cast<std::uint32_t>(value));
    EXPECT_EQ(ul16(static_cast<std::uint16_t>(value)), static_cast<std::uint16_t>(value));
  }
  ul16 changed = 7;
  changed = 0x1234;
  EXPECT_EQ(changed, 0x1234);
}

TEST(BytesTest, RecordsHaveNoPadding) {
  struct Record {
    ul16 a;
    ul64 b;
    ul32 c;
  };

  EXPECT_EQ(sizeof(Record), 14u);
}

TEST(BytesTest, AppendsAndReadsTextBack) {
  std::vector<std::byte> bytes;
  append(bytes, bytes_of("he"));
  append(bytes, bytes_of("llo"));
  EXPECT_EQ(text_of(bytes), "hello");
}

}  // namespace
}  // namespace doppel
