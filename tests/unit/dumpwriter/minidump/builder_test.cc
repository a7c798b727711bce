// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dumpwriter/minidump/builder.h>
#include <tests/support/minidump_view.h>

namespace doppel::minidump {
namespace {

using testing::ElementsAre;

TEST(Utf16, EveryLengthAndEveryFault) {
  EXPECT_THAT(utf16("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
              ElementsAre('a', 0xe4, 0x20ac, 0xd83d, 0xde00));
  EXPECT_THAT(utf16(""), ElementsAre());
  // Alone, cut, overlong, a surrogate, beyond U+10FFFF: each wrong byte by itself.
  EXPECT_THAT(utf16("\x80z"), ElementsAre(0xfffd, 'z'));
  EXPECT_THAT(utf16("\xe2\x82"), ElementsAre(0xfffd, 0xfffd));
  EXPECT_THAT(utf16("\xc0\x80"), ElementsAre(0xfffd, 0xfffd));
  EXPECT_THAT(utf16("\xe0\x80\x80"), ElementsAre(0xfffd, 0xfffd, 0xfffd));
  EXPECT_THAT(utf16("\xed\xa0\x80"), ElementsAre(0xfffd, 0xfffd, 0xfffd));
  EXPECT_THAT(utf16("\xf4\x90\x80\x80"), ElementsAre(0xfffd, 0xfffd, 0xfffd, 0xfffd));
}

TEST(Builder, HeaderDirectoryAndPositions) {
  MinidumpBuilder builder;
  const std::uint32_t name = builder.put_string("name");
  RecordWriter body;
  body.u32(7).memory_offset32(0x1234).memory_offset64(0x123456789a);
  builder.add_stream(9, body);
  const auto made = std::move(builder).finish(77, 0x806);
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->size() % 4096, 0u);
  const MinidumpView view(*made);
  EXPECT_EQ(view.u32(8), 1u);
  EXPECT_EQ(view.u32(12), 32u);
  EXPECT_EQ(view.u32(20), 77u);
  EXPECT_EQ(view.u64(24), 0x806u);
  EXPECT_EQ(view.string(name), "name");
  const auto stream = view.stream(9);
  EXPECT_EQ(stream.size, 16u);
  EXPECT_EQ(view.u32(stream.offset), 7u);
  EXPECT_EQ(view.u32(stream.offset + 4), made->size() + 0x1234);
  EXPECT_EQ(view.u64(stream.offset + 8), made->size() + 0x123456789a);
}

TEST(Builder, TooManyFactsAreRefused) {
  EXPECT_LT(MinidumpBuilder::kMaxSize + MinidumpBuilder::kMemoryReach, (1ull << 32) + 1);
  MinidumpBuilder builder(0x8000);
  const std::vector<std::byte> large(0x8000);
  builder.put(large);
  const auto made = std::move(builder).finish(0, 0);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, Errc::limit);
}

}  // namespace
}  // namespace doppel::minidump
