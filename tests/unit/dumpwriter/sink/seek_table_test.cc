// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include <dumpwriter/sink/buffer_sink.h>
#include <dumpwriter/sink/seek_table.h>

namespace doppel {
namespace {

std::vector<std::byte> bytes(std::initializer_list<int> values) {
  std::vector<std::byte> all;
  for (const int value : values) all.push_back(static_cast<std::byte>(value));
  return all;
}

TEST(SeekTable, IsTheOneOfTheSpecification) {
  SeekTable table;
  ASSERT_TRUE(table.add(0x01020304, 0x40000));
  ASSERT_TRUE(table.add(20, 0));
  const auto contents = std::make_shared<BufferSink::Contents>();
  BufferSink sink(contents);
  ASSERT_TRUE(table.write_to(sink));
  EXPECT_EQ(contents->bytes, bytes({0x5E, 0x2A, 0x4D, 0x18, 25, 0,    0,    0,  // header
                                    4,    3,    2,    1,    0,  0,    4,    0,  // frame 0
                                    20,   0,    0,    0,    0,  0,    0,    0,  // frame 1
                                    2,    0,    0,    0,    0,  0xB1, 0xEA, 0x92, 0x8F}));
  EXPECT_EQ(table.encoded_size(), contents->bytes.size());
  EXPECT_EQ(table.frames(), 2u);
}

TEST(SeekTable, AnEmptyOneIsStillATable) {
  const auto contents = std::make_shared<BufferSink::Contents>();
  BufferSink sink(contents);
  ASSERT_TRUE(SeekTable{}.write_to(sink));
  EXPECT_EQ(contents->bytes.size(), 17u);
}

TEST(SeekTable, ManyFramesAreWrittenInParts) {
  SeekTable table;
  for (std::uint32_t i = 0; i < 100000; ++i) ASSERT_TRUE(table.add(i, i + 1));
  const auto contents = std::make_shared<BufferSink::Contents>();
  BufferSink sink(contents);
  ASSERT_TRUE(table.write_to(sink));
  ASSERT_EQ(contents->bytes.size(), table.encoded_size());
  for (std::uint32_t i = 0; i < 100000; ++i) {
    const std::byte* entry = contents->bytes.data() + 8 + 8 * i;
    std::uint32_t compressed = 0;
    for (int k = 3; k >= 0; --k)
      compressed = compressed << 8 | static_cast<std::uint32_t>(entry[k]);
    ASSERT_EQ(compressed, i);
  }
}

}  // namespace
}  // namespace doppel
