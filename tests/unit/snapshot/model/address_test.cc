// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <snapshot/model/address.h>

namespace doppel {
namespace {

TEST(AddressRangeTest, BeginIsInsideEndIsNot) {
  const AddressRange range{Address{0x1000}, 0x1000};
  EXPECT_FALSE(range.contains(Address{0xfff}));
  EXPECT_TRUE(range.contains(Address{0x1000}));
  EXPECT_TRUE(range.contains(Address{0x1fff}));
  EXPECT_FALSE(range.contains(Address{0x2000}));
}

TEST(AddressRangeTest, TheLastPageIsNoSpecialCase) {
  const AddressRange last{Address{0xfffffffffffff000}, 0x1000};
  EXPECT_TRUE(last.contains(Address{~0ull}));
  EXPECT_FALSE(last.contains(Address{0}));
  EXPECT_EQ(last.end(), 0u);
}

TEST(AddressRangeTest, EmptyContainsNothing) {
  EXPECT_FALSE((AddressRange{Address{5}, 0}.contains(Address{5})));
}

TEST(AddressRangeTest, OrderedByBegin) {
  EXPECT_LT((AddressRange{Address{1}, 9}), (AddressRange{Address{2}, 1}));
}

}  // namespace
}  // namespace doppel
