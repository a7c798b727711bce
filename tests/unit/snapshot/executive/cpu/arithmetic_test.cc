// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <snapshot/executive/cpu/arithmetic.h>

namespace doppel {
namespace {

TEST(Arithmetic, AllSumsAndDifferencesOfBytes) {
  for (unsigned a = 0; a < 256; ++a)
    for (unsigned b = 0; b < 256; ++b)
      for (unsigned carry = 0; carry < 2; ++carry) {
        std::uint32_t flags = 0;
        const int exact =
            static_cast<std::int8_t>(a) + static_cast<std::int8_t>(b) + static_cast<int>(carry);
        ASSERT_EQ(add_values(a, b, carry, 1, flags), (a + b + carry) & 0xff);
        ASSERT_EQ((flags & kCarryFlag) != 0, a + b + carry > 255);
        ASSERT_EQ((flags & kOverflowFlag) != 0, exact < -128 || exact > 127);
        ASSERT_EQ((flags & kAdjustFlag) != 0, (a & 15) + (b & 15) + carry > 15);
        const int less =
            static_cast<std::int8_t>(a) - static_cast<std::int8_t>(b) - static_cast<int>(carry);
        ASSERT_EQ(subtract_values(a, b, carry, 1, flags), (a - b - carry) & 0xff);
        ASSERT_EQ((flags & kCarryFlag) != 0, a < b + carry);
        ASSERT_EQ((flags & kOverflowFlag) != 0, less < -128 || less > 127);
        ASSERT_EQ((flags & kAdjustFlag) != 0, (a & 15) < (b & 15) + carry);
      }
}

TEST(Arithmetic, ShiftByNothingKeepsTheFlags) {
  std::uint32_t flags = kStatusFlags;
  EXPECT_EQ(shift_value(Operation::shl, 5, 32, 4, flags), 5u);
  EXPECT_EQ(shift_double(true, 5, 9, 64, 8, flags), 5u);
  EXPECT_EQ(flags, kStatusFlags);
}

TEST(Arithmetic, ConditionsComeInOppositePairs) {
  for (unsigned condition = 0; condition < 16; condition += 2)
    for (std::uint32_t flags = 0; flags < 0x1000; ++flags)
      ASSERT_NE(condition_holds(condition, flags), condition_holds(condition + 1, flags));
  EXPECT_TRUE(condition_holds(0xc, kSignFlag));                   // less
  EXPECT_FALSE(condition_holds(0xc, kSignFlag | kOverflowFlag));  // both: not less
  EXPECT_TRUE(condition_holds(0xe, kZeroFlag));                   // less or equal
  EXPECT_TRUE(condition_holds(0x6, kCarryFlag));                  // below or equal
}

}  // namespace
}  // namespace doppel
