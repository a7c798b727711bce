// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <snapshot/linux/maps_parser.h>
#include <snapshot/linux/shedding.h>

namespace doppel {
namespace {

TEST(Shedding, ReadsLocksOfFiles) {
  const std::vector<HeldLock> locks = parse_held_locks(
      "1: POSIX  ADVISORY  WRITE 3568 fe:01:2531452 0 EOF\n"
      "2: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF\n"
      "2: -> FLOCK  ADVISORY  WRITE 4712 fe:00:1234 0 EOF\n"
      "3: OFDLCK ADVISORY  READ -1 00:2a:99 128 128\n"
      "4: LEASE  ACTIVE    WRITE 17 fe:00:55 0 EOF\n"
      "5: FLOCK  ADVISORY  WRITE 4711 nonsense 0 EOF\n"
      "6: FLOCK\n"
      "FLOCK  ADVISORY  WRITE 4711 fe:00:1 0 EOF");
  const std::vector<HeldLock> expected = {
      {.kind = "flock", .device_major = 0xfe, .device_minor = 0, .inode = 1234},
      {.kind = "ofd lock", .device_major = 0, .device_minor = 0x2a, .inode = 99},
      {.kind = "lease", .device_major = 0xfe, .device_minor = 0, .inode = 55}};
  EXPECT_EQ(locks, expected);
}

std::vector<std::string> claims(const std::string& maps, const std::vector<HeldLock>& locks = {}) {
  const std::vector<Region> regions = parse_maps(maps).value();
  std::vector<std::string> found;
  for (const Claim& claim : find_claims(regions, locks)) {
    found.push_back(std::to_string(claim.region) + " " + claim.what);
  }
  return found;
}

TEST(Shedding, FindsWhatMappingsClaim) {
  EXPECT_EQ(
      claims("1000-2000 r-xp 00000000 fe:00 7 /usr/bin/app\n"
             "2000-3000 rw-s 00000000 00:01 32 /SYSV0000002a (deleted)\n"
             "3000-4000 rw-s 00000000 00:0e 1 anon_inode:[io_uring]\n"
             "4000-5000 rw-s 00000000 00:08 4 socket:[4]\n"
             "5000-6000 rw-s 00000000 00:06 5 /dev/nvidia0\n"
             "6000-7000 rw-s 00000000 00:01 6 /memfd:x (deleted)\n"
             "7000-8000 rw-s 00000000 00:17 7 /dev/shm/x\n"
             "8000-9000 rw-p 00000000 00:00 0 [heap]\n"
             "9000-a000 rw-p 00000000 00:00 0\n"),
      (std::vector<std::string>{"1 SysV shared memory SYSV0000002a", "2 ring anon_inode:[io_uring]",
                                "3 packet ring socket:[4]", "4 device /dev/nvidia0"}));
}

TEST(Shedding, ALockIsThatOfItsFile) {
  const std::vector<HeldLock> locks = {
      {.kind = "flock", .device_major = 0xfe, .device_minor = 1, .inode = 7}};
  EXPECT_EQ(claims("1000-2000 rw-s 00000000 fe:01 7 /srv/db\n"
                   "2000-3000 r--p 00001000 fe:01 7 /srv/db\n"
                   "3000-4000 rw-s 00000000 fe:00 7 /srv/other\n"
                   "4000-5000 rw-s 00000000 fe:01 8 /srv/third\n",
                   locks),
            (std::vector<std::string>{"0 flock on /srv/db", "1 flock on /srv/db"}));
}

}  // namespace
}  // namespace doppel
