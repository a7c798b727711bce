// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <dumpwriter/plan/dump_plan.h>

namespace doppel {
namespace {

TEST(DumpPlan, CountsEveryKindOfPiece) {
  DumpPlan plan;
  EXPECT_EQ(plan.size(), 0u);
  EXPECT_EQ(plan.memory_size(), 0u);
  plan.pieces = {Literal{std::vector<std::byte>(100)}, Zeros{28},
                 FromMemory{{.begin = Address{0x1000}, .size = 0x2000}}, Zeros{1ull << 40},
                 FromMemory{{.begin = Address{0x9000}, .size = 0x1000}}};
  EXPECT_EQ(plan.size(), 128 + 0x3000 + (1ull << 40));
  EXPECT_EQ(plan.memory_size(), 0x3000u);
}

}  // namespace
}  // namespace doppel
