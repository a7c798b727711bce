// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dumpwriter/plan/first_reads.h>
#include <tests/support/image_builder.h>

namespace doppel {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kMiB = 1 << 20;

AddressRange range(std::uint64_t begin, std::uint64_t size) {
  return {.begin = Address{begin}, .size = size};
}

TEST(FirstReads, StackFromTheRedZoneUpwards) {
  // rsp - 128 lies on the page below.
  const ProcessImage image = ImageBuilder()
                                 .region(anonymous_region(0x7f0000000000, 8 * kMiB))
                                 .thread(4711, 0x7f0000404010)
                                 .build();
  EXPECT_THAT(first_reads(image), ElementsAre(range(0x7f0000403000, 256 * 1024)));
}

TEST(FirstReads, StackEndsWithItsRegion) {
  const ProcessImage image = ImageBuilder()
                                 .region(anonymous_region(0x7f0000000000, kMiB))
                                 .region(anonymous_region(0x7f0000100000, kMiB))
                                 .thread(4711, 0x7f00000ff800)
                                 .build();
  EXPECT_THAT(first_reads(image), ElementsAre(range(0x7f00000fc000, 0x4000)));
}

TEST(FirstReads, StackPointerAtTheVeryStartOfItsRegion) {
  const ProcessImage image = ImageBuilder()
                                 .region(anonymous_region(0x7f0000000000, 0x2000))
                                 .thread(4711, 0x7f0000000000)
                                 .build();
  EXPECT_THAT(first_reads(image), ElementsAre(range(0x7f0000000000, 0x2000)));
}

TEST(FirstReads, NeighbourhoodOfWhatRegistersPointAt) {
  ImageBuilder builder;
  builder.region(anonymous_region(0x10000000, kMiB)).thread(4711);
  X86_64Registers& registers = builder.image().threads[0].registers.general;
  registers.rdi = 0x10007ff8;
  registers.r15 = 0x100ffff0;
  registers.rax = 12345;          // points nowhere
  registers.eflags = 0x10020000;  // no pointer
  EXPECT_THAT(first_reads(builder.build()),
              ElementsAre(range(0x10004000, 0x4000), range(0x100fc000, 0x4000)));
}

TEST(FirstReads, NothingWithoutRegistersOrRegions) {
  EXPECT_THAT(first_reads(ImageBuilder().thread(4711, 0x1000).build()), IsEmpty());
  EXPECT_THAT(first_reads(ImageBuilder().region(anonymous_region(0x1000, 0x1000)).build()),
              IsEmpty());
}

TEST(FirstReads, RegionAtTheEndOfTheAddressSpace) {
  const ProcessImage image = ImageBuilder()
                                 .region(anonymous_region(~0ull - 0xfff, 0x1000))
                                 .thread(4711, ~0ull - 7)
                                 .build();
  EXPECT_THAT(first_reads(image), ElementsAre(range(~0ull - 0xfff, 0x1000)));
}

}  // namespace
}  // namespace doppel
