// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>

#include <snapshot/support/byte_reader.h>
#include <snapshot/support/bytes.h>

namespace doppel {
namespace {

struct Record {
  ul16 kind;
  ul32 size;
};

class ByteReaderTest : public ::testing::Test {
 protected:
  ByteReader reader(std::string_view bytes) { return ByteReader(bytes_of(bytes)); }
};

TEST_F(ByteReaderTest, ReadsRecordsInTheFilesByteOrderAtAnyOffset) {
  using namespace std::string_view_literals;
  ByteReader from = reader("x\x01\x02\x03\x04\x05\x06"sv);
  ASSERT_TRUE(from.skip(1));
  const Result<Record> record = from.read<Record>();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->kind, 0x0201);
  EXPECT_EQ(record->size, 0x06050403u);
  EXPECT_EQ(from.position(), 7u);
  EXPECT_EQ(from.remaining(), 0u);
}

TEST_F(ByteReaderTest, AFailedStepDoesNotMoveTheCursor) {
  ByteReader from = reader("abc");
  ASSERT_TRUE(from.skip(1));
  EXPECT_EQ(from.read<std::uint32_t>().error().code, Errc::malformed);
  EXPECT_EQ(from.take(3).error().code, Errc::malformed);
  EXPECT_EQ(from.read_string().error().code, Errc::malformed);
  EXPECT_EQ(from.seek(4).error().code, Errc::malformed);
  EXPECT_EQ(from.align(8).error().code, Errc::malformed);
  EXPECT_EQ(from.position(), 1u);
  EXPECT_EQ(text_of(*from.take(1)), "b");
}

TEST_F(ByteReaderTest, ACountThatWouldWrapFails) {
  ByteReader from = reader("abc");
  ASSERT_TRUE(from.skip(2));
  EXPECT_FALSE(from.take(std::numeric_limits<std::uint64_t>::max()));
  EXPECT_FALSE(from.skip(std::numeric_limits<std::uint64_t>::max() - 1));
  EXPECT_EQ(from.position(), 2u);
}

TEST_F(ByteReaderTest, TextEndsAtItsZero) {
  using namespace std::string_view_literals;
  ByteReader from = reader("one\0\0two"sv);
  EXPECT_EQ(*from.read_string(), "one");
  EXPECT_EQ(*from.read_string(), "");
  EXPECT_FALSE(from.read_string()) << "no zero byte after two";
  EXPECT_EQ(from.remaining(), 3u);
}

TEST_F(ByteReaderTest, AlignsFromTheStart) {
  ByteReader from = reader("12345678");
  ASSERT_TRUE(from.align(4));
  EXPECT_EQ(from.position(), 0u);
  ASSERT_TRUE(from.skip(1));
  ASSERT_TRUE(from.align(4));
  EXPECT_EQ(from.position(), 4u);
}

TEST_F(ByteReaderTest, TheEndIsAPlace) {
  ByteReader from = reader("ab");
  ASSERT_TRUE(from.seek(2));
  EXPECT_EQ(from.take(0)->size(), 0u);
  EXPECT_FALSE(from.take(1));
  ASSERT_TRUE(from.seek(0));
  EXPECT_EQ(text_of(*from.take(2)), "ab");
}

}  // namespace
}  // namespace doppel
