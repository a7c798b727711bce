// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>

#include <snapshot/support/checked_math.h>

namespace doppel {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

TEST(CheckedMathTest, ExactUpToTheLastValue) {
  EXPECT_EQ(*checked_add(kMax - 1, 1), kMax);
  EXPECT_EQ(*checked_sub(5, 5), 0u);
  EXPECT_EQ(*checked_mul(kMax / 3, 3), kMax);
  EXPECT_EQ(*checked_align_up(4096, 4096), 4096u);
  EXPECT_EQ(*checked_align_up(4097, 4096), 8192u);
  EXPECT_EQ(*checked_align_up(0, 8), 0u);
  EXPECT_EQ(*checked_align_up(kMax, 1), kMax);
}

TEST(CheckedMathTest, OneBeyondFails) {
  EXPECT_EQ(checked_add(kMax, 1).error().code, Errc::malformed);
  EXPECT_EQ(checked_sub(4, 5).error().code, Errc::malformed);
  EXPECT_EQ(checked_mul(kMax / 2 + 1, 2).error().code, Errc::malformed);
  EXPECT_EQ(checked_align_up(kMax - 4094, 4096).error().code, Errc::malformed);
}

}  // namespace
}  // namespace doppel
