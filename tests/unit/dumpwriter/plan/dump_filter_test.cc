// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <dumpwriter/plan/dump_filter.h>
#include <tests/support/image_builder.h>

namespace doppel {
namespace {

using namespace coredump_filter;

constexpr std::uint64_t kAll = 0x1ff;

Region anonymous() {
  return anonymous_region(0x1000, 0x1000);
}

Region file() {
  return file_region(0x1000, 0x1000, "/lib/x.so");
}

Region shared_file() {
  Region region = file();
  region.sharing = Sharing::shared;
  return region;
}

Treatment treatment(const Region& region, std::uint64_t filter) {
  return judge(region, filter, false).treatment;
}

struct Row {
  const char* name;
  Region region;
  std::uint64_t bit;  ///< the bit that decides
  Treatment without;  ///< when only that bit is off
};

/// Each class of mapping hangs on its own bit and on no other (bits 0-3 and 5-8 of core(5)).
TEST(DumpFilter, OneBitDecidesEachClass) {
  Region written = file();
  written.anonymous = 4096;
  Region swapped = file();
  swapped.swapped = 4096;
  Region unlinked = shared_file();
  unlinked.deleted = true;
  Region huge = anonymous();
  huge.traits.huge_tlb = true;
  Region huge_shared = shared_region(0x1000, 0x1000);
  huge_shared.traits.huge_tlb = true;
  Region dax = file();
  dax.traits.dax = true;
  Region dax_shared = shared_file();
  dax_shared.traits.dax = true;
  Region private_memfd = shared_region(0x1000, 0x1000);
  private_memfd.sharing = Sharing::private_copy;

  const Row rows[] = {
      {"anonymous", anonymous(), kAnonymousPrivate, Treatment::absent},
      {"private memfd", private_memfd, kAnonymousPrivate, Treatment::absent},
      {"shared memory", shared_region(0x1000, 0x1000), kAnonymousShared, Treatment::absent},
      {"unlinked shared file", unlinked, kAnonymousShared, Treatment::absent},
      {"private file", file(), kFilePrivate, Treatment::in_file},
      {"shared file", shared_file(), kFileShared, Treatment::in_file},
      {"huge private", huge, kHugePrivate, Treatment::absent},
      {"huge shared", huge_shared, kHugeShared, Treatment::absent},
      {"dax private", dax, kDaxPrivate, Treatment::in_file},
      {"dax shared", dax_shared, kDaxShared, Treatment::in_file},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(treatment(row.region, row.bit), Treatment::whole) << row.name;
    EXPECT_EQ(treatment(row.region, kAll & ~row.bit), row.without) << row.name;
  }
  // Written private file contents: bit 0 takes them, and bit 2 as well.
  for (const Region& region : {written, swapped}) {
    EXPECT_EQ(treatment(region, kAnonymousPrivate), Treatment::whole);
    EXPECT_EQ(treatment(region, kFilePrivate), Treatment::whole);
    EXPECT_EQ(treatment(region, kElfHeaders), Treatment::absent);
  }
}

TEST(DumpFilter, NoFileToReadLaterMeansTheBytesAreNeeded) {
  Region deleted = file();
  deleted.deleted = true;
  EXPECT_EQ(treatment(deleted, 0x33), Treatment::whole);
  EXPECT_EQ(treatment(deleted, 0), Treatment::absent);  // never in_file
  Region nameless = file();
  nameless.path.clear();
  EXPECT_EQ(treatment(nameless, 0x33), Treatment::whole);
}

TEST(DumpFilter, WhatIsLeftOutByChoiceIsAskedFor) {
  const Verdict verdict = judge(anonymous(), 0, false);
  EXPECT_STREQ(verdict.why, "left out by coredump_filter");
  EXPECT_TRUE(verdict.asked);
  EXPECT_STREQ(judge(file(), 0, false).why, "");  // nothing lost: the file has it
  EXPECT_STREQ(judge(shared_file(), 0, false).why, "left out by coredump_filter");  // may change
}

TEST(DumpFilter, NeverWhateverTheBitsSay) {
  struct Never {
    bool RegionTraits::* trait;
    const char* why;
    bool asked;
  };

  const Never nevers[] = {
      {&RegionTraits::dont_dump, "MADV_DONTDUMP", true},
      {&RegionTraits::secret, "secret memory", true},
      {&RegionTraits::wipe_on_fork, "MADV_WIPEONFORK", true},
      {&RegionTraits::droppable, "MAP_DROPPABLE", true},
      {&RegionTraits::io, "device memory", false},
      {&RegionTraits::pfn_map, "device memory", false},
  };
  for (const Never& never : nevers) {
    for (Region region : {anonymous(), file(), shared_file(), shared_region(0x1000, 0x1000)}) {
      region.traits.*never.trait = true;
      const Verdict verdict = judge(region, kAll, false);
      EXPECT_EQ(verdict.treatment, Treatment::absent) << never.why;
      EXPECT_STREQ(verdict.why, never.why);
      EXPECT_EQ(verdict.asked, never.asked) << never.why;
      EXPECT_FALSE(verdict.landmarks) << never.why;
    }
  }
}

/// memfd_secret sets VM_DONTDUMP too; the better reason is given.
TEST(DumpFilter, SecretMemorySaysSo) {
  Region region = shared_region(0x1000, 0x1000);
  region.traits.secret = region.traits.dont_dump = true;
  EXPECT_STREQ(judge(region, kAll, false).why, "secret memory");
}

TEST(DumpFilter, TheKernelsOwnPages) {
  Region region = anonymous();
  region.backing = Backing::vdso;
  EXPECT_EQ(treatment(region, 0), Treatment::whole);
  region.backing = Backing::vsyscall;
  EXPECT_EQ(treatment(region, 0), Treatment::whole);
  region.backing = Backing::vvar;
  region.traits.io = region.traits.dont_dump = true;
  EXPECT_EQ(treatment(region, kAll), Treatment::absent);
  EXPECT_STREQ(judge(region, kAll, false).why, "");
}

TEST(DumpFilter, OmitSharedTakesSharedMappingsOnly) {
  EXPECT_EQ(judge(shared_region(0x1000, 0x1000), kAll, true).treatment, Treatment::absent);
  EXPECT_EQ(judge(shared_file(), kAll, true).treatment, Treatment::in_file);
  EXPECT_TRUE(judge(shared_file(), kAll, true).asked);
  EXPECT_EQ(judge(anonymous(), kAll, true).treatment, Treatment::whole);
  EXPECT_EQ(judge(file(), kAll, true).treatment, Treatment::whole);
}

TEST(DumpFilter, LandmarksHangOnBitFour) {
  EXPECT_TRUE(judge(file(), kElfHeaders, false).landmarks);
  EXPECT_FALSE(judge(file(), kAll & ~kElfHeaders & ~kFilePrivate, false).landmarks);
  EXPECT_FALSE(judge(file(), kAll, false).landmarks);                // whole anyway
  EXPECT_FALSE(judge(shared_file(), kElfHeaders, false).landmarks);  // as the kernel
  EXPECT_FALSE(judge(anonymous(), kElfHeaders, false).landmarks);
}

}  // namespace
}  // namespace doppel
