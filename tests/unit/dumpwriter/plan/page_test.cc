// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dumpwriter/plan/page.h>

namespace doppel {
namespace {

using testing::ElementsAre;

AddressRange range(std::uint64_t begin, std::uint64_t size) {
  return {.begin = Address{begin}, .size = size};
}

TEST(Page, RoundsDown) {
  EXPECT_EQ(page_down(0), 0u);
  EXPECT_EQ(page_down(4095), 0u);
  EXPECT_EQ(page_down(4096), 4096u);
  EXPECT_EQ(page_down(~0ull), 0xfffffffffffff000u);
}

TEST(Page, UnionSortsAndJoinsWhatTouchesOrOverlaps) {
  EXPECT_THAT(sorted_union({range(0x9000, 0x1000), range(0x1000, 0x1000), range(0x2000, 0x1000),
                            range(0x5000, 0x3000), range(0x6000, 0x1000)}),
              ElementsAre(range(0x1000, 0x2000), range(0x5000, 0x3000), range(0x9000, 0x1000)));
  EXPECT_TRUE(sorted_union({}).empty());
}

TEST(Page, UnionReachesTheEndOfTheAddressSpace) {
  EXPECT_THAT(sorted_union({range(~0ull - 0xfff, 0x1000), range(~0ull - 0x1fff, 0x1000)}),
              ElementsAre(range(~0ull - 0x1fff, 0x2000)));
}

}  // namespace
}  // namespace doppel
