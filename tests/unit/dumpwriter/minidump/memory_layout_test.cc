// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <dumpwriter/minidump/memory_layout.h>

namespace doppel::minidump {
namespace {

Segment segment(std::uint64_t begin, std::uint64_t size, unsigned priority,
                Content content = Content::bytes) {
  const AddressRange range{.begin = Address{begin}, .size = size};
  Segment made{.range = range, .content = content, .region = 0, .pieces = {}, .priority = priority};
  if (content == Content::bytes) made.pieces = {{.range = range, .kind = Extent::Kind::data}};
  return made;
}

Selection sample() {
  return {.segments = {segment(0x1000, 0x1000, 2), segment(0x2000, 0x2000, 2),
                       segment(0x4000, 0x1000, 0), segment(0x5000, 0x1000, 0),
                       segment(0x8000, 0x1000, 2, Content::zero), segment(0x9000, 0x1000, 1)},
          .omissions = {}};
}

TEST(MemoryLayout, MostImportantFirst) {
  const MemoryLayout layout(sample(), false);
  ASSERT_EQ(layout.placed().size(), 4u);
  EXPECT_EQ(layout.size(), 0x6000u);
  // Stacks stay apart; the rest is joined.
  EXPECT_EQ(layout.placed()[0].range, (AddressRange{{0x4000}, 0x1000}));
  EXPECT_EQ(layout.placed()[1].range, (AddressRange{{0x5000}, 0x1000}));
  EXPECT_EQ(layout.placed()[2].range, (AddressRange{{0x9000}, 0x1000}));
  EXPECT_EQ(layout.placed()[3].range, (AddressRange{{0x1000}, 0x3000}));
  EXPECT_EQ(layout.placed()[3].offset, 0x3000u);
  EXPECT_EQ(layout.placed()[3].pieces.size(), 2u);
  ASSERT_NE(layout.find(Address{0x3fff}), nullptr);
  EXPECT_EQ(layout.find(Address{0x3fff})->offset, 0x3000u);
  EXPECT_EQ(layout.find(Address{0x8000}), nullptr);
  EXPECT_EQ(layout.find(Address{0xfff}), nullptr);
  EXPECT_EQ(layout.find(Address{0xa000}), nullptr);
}

TEST(MemoryLayout, ByAddress) {
  const MemoryLayout layout(sample(), true);
  ASSERT_EQ(layout.placed().size(), 2u);
  EXPECT_EQ(layout.placed()[0].range, (AddressRange{{0x1000}, 0x5000}));
  EXPECT_EQ(layout.placed()[0].priority, 0u);
  EXPECT_EQ(layout.placed()[1].offset, 0x5000u);
}

}  // namespace
}  // namespace doppel::minidump
