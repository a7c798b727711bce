// SPDX-License-Identifier: Apache-2.0
//
// maps and smaps: texts of real processes, of kernels that are not this one, and texts that no
// kernel writes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>
#include <string>

#include <snapshot/linux/maps_parser.h>
#include <snapshot/model/image_check.h>

namespace doppel {
namespace {

Region one(std::string_view line) {
  const auto regions = parse_maps(line);
  EXPECT_TRUE(regions.has_value()) << line;
  if (!regions || regions->size() != 1) {
    ADD_FAILURE() << "not one region: " << line;
    return {};
  }
  return regions->front();
}

// A dynamically linked process on 6.18, shortened.
constexpr std::string_view kMaps =
    "55ab12e46000-55ab12e48000 r--p 00000000 fe:00 247134                     /usr/bin/cat\n"
    "55ab12e48000-55ab12e4d000 r-xp 00002000 fe:00 247134                     /usr/bin/cat\n"
    "55ab2b8f5000-55ab2b916000 rw-p 00000000 00:00 0                          [heap]\n"
    "7f3b31a00000-7f3b31c00000 rw-p 00000000 00:00 0 \n"
    "7f3b31d95000-7f3b31d99000 r--p 00000000 00:00 0                          [vvar]\n"
    "7f3b31d99000-7f3b31d9b000 r--p 00000000 00:00 0                          [vvar_vclock]\n"
    "7f3b31d9b000-7f3b31d9d000 r-xp 00000000 00:00 0                          [vdso]\n"
    "7fff3a8e0000-7fff3a901000 rw-p 00000000 00:00 0                          [stack]\n"
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

TEST(MapsParser, ReadsARealMap) {
  const auto regions = parse_maps(kMaps);
  ASSERT_TRUE(regions.has_value());
  ASSERT_EQ(regions->size(), 9u);
  const Region& text = (*regions)[1];
  EXPECT_EQ(text.range.begin.value, 0x55ab12e48000u);
  EXPECT_EQ(text.range.size, 0x5000u);
  EXPECT_EQ(text.access, (Access{true, false, true}));
  EXPECT_EQ(text.sharing, Sharing::private_copy);
  EXPECT_EQ(text.backing, Backing::file);
  EXPECT_EQ(text.path, "/usr/bin/cat");
  EXPECT_EQ(text.file_offset, 0x2000u);
  EXPECT_EQ(text.inode, 247134u);
  EXPECT_EQ(text.device_major, 0xfeu);
  EXPECT_EQ(text.device_minor, 0u);
  EXPECT_EQ((*regions)[2].path, "[heap]");
  EXPECT_EQ((*regions)[2].backing, Backing::anonymous);
  EXPECT_EQ((*regions)[3].path, "");
  EXPECT_EQ((*regions)[3].backing, Backing::anonymous);
  EXPECT_EQ((*regions)[4].backing, Backing::vvar);
  EXPECT_EQ((*regions)[5].backing, Backing::vvar);
  EXPECT_EQ((*regions)[6].backing, Backing::vdso);
  EXPECT_EQ((*regions)[7].backing, Backing::anonymous);
  EXPECT_EQ((*regions)[8].backing, Backing::vsyscall);
  EXPECT_EQ((*regions)[8].access, (Access{false, false, true}));
}

struct Kind {
  const char* line;
  Backing backing;
  const char* path;
  bool deleted;
};

class MapsBacking : public testing::TestWithParam<Kind> {};

TEST_P(MapsBacking, IsToldFromTheName) {
  const Region region = one(GetParam().line);
  EXPECT_EQ(region.backing, GetParam().backing);
  EXPECT_EQ(region.path, GetParam().path);
  EXPECT_EQ(region.deleted, GetParam().deleted);
}

INSTANTIATE_TEST_SUITE_P(
    Names, MapsBacking,
    testing::Values(
        Kind{"7f00-8f00 rw-s 0 00:01 1024 /memfd:ring buffer (deleted)", Backing::shared_memory,
             "/memfd:ring buffer", true},
        Kind{"7f00-8f00 rw-s 0 00:01 3 /dev/zero (deleted)", Backing::shared_memory, "/dev/zero",
             true},
        Kind{"7f00-8f00 rw-p 0 00:06 5 /dev/zero", Backing::anonymous, "/dev/zero", false},
        Kind{"7f00-8f00 rw-s 0 00:01 0 /SYSV00000000 (deleted)", Backing::shared_memory,
             "/SYSV00000000", true},
        Kind{"7f00-8f00 rw-s 0 00:17 9 /dev/shm/gone (deleted)", Backing::shared_memory,
             "/dev/shm/gone", true},
        Kind{"7f00-8f00 rw-s 0 00:17 9 /dev/shm/here", Backing::file, "/dev/shm/here", false},
        Kind{"7f00-8f00 rw-s 0 00:0e 9 /[aio] (deleted)", Backing::shared_memory, "/[aio]", true},
        Kind{"7f00-8f00 rw-s 0 00:0e 9 anon_inode:[io_uring]", Backing::shared_memory,
             "anon_inode:[io_uring]", false},
        Kind{"7f00-8f00 rw-p 0 00:0f 9 /anon_hugepage (deleted)", Backing::anonymous,
             "/anon_hugepage", true},
        Kind{"7f00-8f00 rw-s 0 00:0f 9 /anon_hugepage (deleted)", Backing::shared_memory,
             "/anon_hugepage", true},
        Kind{"7f00-8f00 rw-p 0 00:00 0 [anon:glibc: malloc]", Backing::anonymous,
             "[anon:glibc: malloc]", false},
        Kind{"7f00-8f00 rw-s 0 00:00 0 [anon_shmem:pool]", Backing::shared_memory,
             "[anon_shmem:pool]", false},
        Kind{"7f00-8f00 rw-s 0 00:06 9 /dev/nvidia0", Backing::device, "/dev/nvidia0", false},
        Kind{"7f00-8f00 r-xp 0 fe:00 9 /opt/old lib.so (deleted)", Backing::file, "/opt/old lib.so",
             true},
        // A file may be called "[vdso]": it has an inode and so no special name.
        Kind{"7f00-8f00 r-xp 0 fe:00 9 [vdso]", Backing::file, "[vdso]", false},
        Kind{"7f00-8f00 r-xp 0 fe:00 9 /tmp/two\\012lines\\040kept", Backing::file,
             "/tmp/two\nlines\\040kept", false}));

// Two mappings of 6.18 and, in the second, flags of kernels that are not this one.
constexpr std::string_view kSmaps =
    "7f0000000000-7f0040000000 rw-p 00000000 00:00 0 \n"
    "Size:            1048576 kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n"
    "Rss:              901120 kB\nPss:              901120 kB\nPss_Dirty:        901120 kB\n"
    "Shared_Clean:          0 kB\nPrivate_Dirty:    901120 kB\nReferenced:       901120 kB\n"
    "Anonymous:        901120 kB\nKSM:                   0 kB\nLazyFree:              0 kB\n"
    "AnonHugePages:    819200 kB\nShmemPmdMapped:        0 kB\nShared_Hugetlb:        0 kB\n"
    "Private_Hugetlb:       0 kB\nSwap:               1024 kB\nSwapPss:            1024 kB\n"
    "Locked:                8 kB\nTHPeligible:           1\nProtectionKey:         0\n"
    "VmFlags: rd wr mr mw me ac sd \n"
    "7f0040000000-7f0040200000 rw-p 00000000 00:0f 77                         /anon_hugepage "
    "(deleted)\n"
    "Size:               2048 kB\nKernelPageSize:     2048 kB\nRss:                   0 kB\n"
    "Private_Hugetlb:    2048 kB\n"
    "VmFlags: rd wr mr mw me de ht dc dd wf dp gu sl um \n"
    "7f0050000000-7f0050001000 rw-s 00000000 00:11 5                          /dev/dri/card0\n"
    "Size:                  4 kB\nVmFlags: rd wr sh mr mw me ms pf io de dd \n"
    "7f0060000000-7f0060001000 rw-p 00000000 00:00 0 \n"
    "Size:                  4 kB\nVmFlags: rd wr mr mw me ss \n"
    "7f0070000000-7f0070001000 rw-s 00000000 00:0d 21                         /secretmem "
    "(deleted)\nSize:                  4 kB\nVmFlags: rd wr sh mr mw me ms lo dd \n";

TEST(MapsParser, ReadsTraitsAndCounts) {
  const auto smaps = parse_smaps(kSmaps);
  ASSERT_TRUE(smaps.has_value());
  ASSERT_EQ(smaps->regions.size(), 5u);
  ASSERT_EQ(smaps->details.size(), 5u);

  const Region& plain = smaps->regions[0];
  EXPECT_EQ(plain.resident, 901120u * 1024);
  EXPECT_EQ(plain.anonymous, 901120u * 1024);
  EXPECT_EQ(plain.anonymous_huge, 819200u * 1024);
  EXPECT_EQ(plain.swapped, 1024u * 1024);
  EXPECT_EQ(plain.traits, RegionTraits{.accountable = true});
  EXPECT_EQ(smaps->details[0].locked, 8192u);
  EXPECT_EQ(smaps->details[0].page_size, 4096u);

  const Region& huge = smaps->regions[1];
  EXPECT_EQ(huge.traits, (RegionTraits{.dont_dump = true,
                                       .dont_fork = true,
                                       .wipe_on_fork = true,
                                       .droppable = true,
                                       .huge_tlb = true,
                                       .sealed = true,
                                       .userfault = true,
                                       .userfault_missing = true,
                                       .guard = true}));
  EXPECT_EQ(huge.resident, 2048u * 1024);
  EXPECT_EQ(smaps->details[1].hugetlb, 2048u * 1024);
  EXPECT_EQ(smaps->details[1].page_size, 2048u * 1024);

  EXPECT_EQ(smaps->regions[2].backing, Backing::device);
  EXPECT_TRUE(smaps->regions[2].traits.io && smaps->regions[2].traits.pfn_map);
  EXPECT_TRUE(smaps->details[3].shadow_stack);
  EXPECT_FALSE(smaps->details[0].shadow_stack);
  EXPECT_TRUE(smaps->regions[4].traits.secret);
  EXPECT_EQ(smaps->regions[4].backing, Backing::shared_memory);
}

TEST(MapsParser, ADeviceNodeWithOrdinaryPagesIsNotADevice) {
  // With VmFlags at hand the name alone does not decide.
  const auto smaps = parse_smaps(
      "7f00-8f00 rw-s 00000000 00:06 9 /dev/fuse\nRss: 4 kB\nVmFlags: rd wr sh mr mw me ms \n");
  ASSERT_TRUE(smaps.has_value());
  EXPECT_EQ(smaps->regions[0].backing, Backing::file);
}

TEST(MapsParser, OverlapsAreTrimmedSoThatRegionsStayDisjoint) {
  // What a reader sees when a mapping grew downwards between two reads of the file.
  const auto regions = parse_maps(
      "1000-3000 rw-p 00000000 00:00 0 \n"
      "2000-5000 r--p 00001000 fe:00 9 /a\n"
      "4000-4800 r--p 00000000 fe:00 9 /b\n"
      "5000-6000 rw-p 00000000 00:00 0 \n");
  ASSERT_TRUE(regions.has_value());
  ASSERT_EQ(regions->size(), 3u);
  EXPECT_EQ((*regions)[1].range, (AddressRange{{0x3000}, 0x2000}));
  EXPECT_EQ((*regions)[1].file_offset, 0x2000u);
  EXPECT_EQ((*regions)[2].range, (AddressRange{{0x5000}, 0x1000}));
}

TEST(MapsParser, EmptyTextIsNoRegions) {
  const auto regions = parse_maps("");
  ASSERT_TRUE(regions.has_value());
  EXPECT_TRUE(regions->empty());
}

class MapsMalformed : public testing::TestWithParam<const char*> {};

TEST_P(MapsMalformed, IsRefusedWithItsLine) {
  const std::string text = "1000-2000 rw-p 00000000 00:00 0 \n" + std::string(GetParam());
  const auto regions = parse_maps(text);
  ASSERT_FALSE(regions.has_value());
  EXPECT_EQ(regions.error().code, Errc::malformed);
  EXPECT_EQ(regions.error().subject, "2");
}

INSTANTIATE_TEST_SUITE_P(Lines, MapsMalformed,
                         testing::Values("3000\n", "3000-\n", "3000-2000 rw-p 0 00:00 0\n",
                                         "3000-3000 rw-p 0 00:00 0\n", "3000-4000 rw 0 00:00 0\n",
                                         "3000-4000 rw-p zz 00:00 0\n", "3000-4000 rw-p 0 0000 0\n",
                                         "3000-4000 rw-p 0 00:00\n",
                                         "10000000000000000-20000000000000000 rw-p 0 00:00 0\n",
                                         "nonsense\n", "\n"));

TEST(MapsParser, AttributesWithoutAMappingAreMalformed) {
  EXPECT_FALSE(parse_maps("Rss: 4 kB\n").has_value());
}

TEST(MapsParser, AnyBytesGiveAnAnswer) {
  // Real text with bytes changed, cut and doubled at random: an error or a sound list, no crash.
  std::mt19937 random(20260101);
  for (int round = 0; round < 3000; ++round) {
    std::string text(round % 2 == 0 ? kSmaps : kMaps);
    for (unsigned changes = random() % 8; changes-- > 0;) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    text.resize(random() % (text.size() + 1));
    const auto smaps = parse_smaps(text);
    if (!smaps) continue;
    ASSERT_EQ(smaps->regions.size(), smaps->details.size());
    ProcessImage image;
    image.regions = smaps->regions;
    image.threads.resize(1);
    EXPECT_TRUE(check_image(image).has_value()) << text;
  }
}

std::string slurp(const char* path) {
  std::string text;
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  char buffer[65536];
  for (ssize_t n; (n = ::read(fd, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(fd);
  return text;
}

TEST(MapsParser, ReadsItsOwnProcess) {
  const auto smaps = parse_smaps(slurp("/proc/self/smaps"));
  ASSERT_TRUE(smaps.has_value());
  std::uint64_t anonymous = 0;
  int vdsos = 0, stacks = 0;
  const auto here = reinterpret_cast<std::uint64_t>(&anonymous);
  for (const Region& region : smaps->regions) {
    anonymous += region.anonymous;
    vdsos += region.backing == Backing::vdso;
    if (region.range.contains({here})) {
      ++stacks;
      EXPECT_TRUE(region.access.write);
      EXPECT_TRUE(region.traits.accountable);
    }
  }
  EXPECT_GT(anonymous, 0u);
  EXPECT_EQ(vdsos, 1);
  EXPECT_EQ(stacks, 1);
}

}  // namespace
}  // namespace doppel
