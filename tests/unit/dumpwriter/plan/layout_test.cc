// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <dumpwriter/plan/layout.h>

namespace doppel {
namespace {

AddressRange range(std::uint64_t begin, std::uint64_t size) {
  return {.begin = Address{begin}, .size = size};
}

TEST(Layout, TellsTheOffsetOfEachThing) {
  Layout layout;
  const Layout::Reserved head = layout.reserve(64);
  EXPECT_EQ(head.offset, 0u);
  EXPECT_EQ(layout.append(std::vector<std::byte>(10)), 64u);
  EXPECT_EQ(layout.align(4096), 4096u);
  EXPECT_EQ(layout.align(4096), 4096u);
  EXPECT_EQ(layout.append_memory(range(0x1000, 0x1000)), 4096u);
  EXPECT_EQ(layout.append_zeros(0x1000), 0x2000u);
  EXPECT_EQ(layout.offset(), 0x3000u);
  layout.fill(head, std::vector<std::byte>(64, std::byte{7}));
  const DumpPlan plan = std::move(layout).seal();
  EXPECT_EQ(plan.size(), 0x3000u);
  ASSERT_EQ(plan.pieces.size(), 5u);
  EXPECT_EQ(std::get<Literal>(plan.pieces[0]).bytes.front(), std::byte{7});
  EXPECT_EQ(std::get<Zeros>(plan.pieces[2]).count, 4096u - 74u);
}

TEST(Layout, JoinsNeighboursOfOneKindOnly) {
  Layout layout;
  layout.append_memory(range(0x1000, 0x1000));
  layout.append_memory(range(0x2000, 0x1000));  // goes on where the last ended
  layout.append_memory(range(0x9000, 0x1000));  // does not
  layout.append_zeros(1);
  layout.append_zeros(2);
  const DumpPlan plan = std::move(layout).seal();
  ASSERT_EQ(plan.pieces.size(), 3u);
  EXPECT_EQ(std::get<FromMemory>(plan.pieces[0]).range, range(0x1000, 0x2000));
  EXPECT_EQ(std::get<FromMemory>(plan.pieces[1]).range, range(0x9000, 0x1000));
  EXPECT_EQ(std::get<Zeros>(plan.pieces[2]).count, 3u);
}

TEST(Layout, EmptyThingsLeaveNoPiece) {
  Layout layout;
  layout.append({});
  layout.append_memory(range(0x1000, 0));
  layout.append_zeros(0);
  layout.align(16);
  EXPECT_TRUE(std::move(layout).seal().pieces.empty());
}

TEST(LayoutDeathTest, SealingWithAHoleIsABug) {
#ifdef NDEBUG
  GTEST_SKIP() << "assertions are off";
#endif
  Layout layout;
  layout.reserve(8);
  EXPECT_DEATH(std::move(layout).seal(), "unfilled_");
}

}  // namespace
}  // namespace doppel
