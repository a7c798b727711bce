// SPDX-License-Identifier: Apache-2.0
//
// cgroup paths to directories: v1, v2, hybrid, containers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <snapshot/linux/cgroup_parser.h>

namespace doppel {
namespace {

// A hybrid machine: memory and pids in v1, an empty unified hierarchy beside them.
constexpr std::string_view kHybridCgroup =
    "9:name=systemd:/\n8:pids:/\n4:memory:/service/a0f0\n2:cpuacct,cpu:/\n0::/\n";
constexpr std::string_view kHybridMounts =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime shared:12 master:3 - cgroup cgroup rw,pids\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

TEST(CgroupParser, ReadsEntries) {
  const auto entries = parse_cgroup(kHybridCgroup);
  ASSERT_EQ(entries.size(), 5u);
  EXPECT_EQ(entries[2], (CgroupEntry{4, {"memory"}, "/service/a0f0"}));
  EXPECT_THAT(entries[3].controllers, testing::ElementsAre("cpuacct", "cpu"));
  EXPECT_EQ(entries[4], (CgroupEntry{0, {}, "/"}));
}

TEST(CgroupParser, PathsMayHoldColonsAndTheDeletedMarkGoes) {
  const auto entries = parse_cgroup("0::/kube:pods/x (deleted)\n");
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].path, "/kube:pods/x");
}

TEST(CgroupParser, LeavesBadLinesOut) {
  EXPECT_TRUE(parse_cgroup("\nx:y\n1\n1:\n1:a\n1:a:relative\n-1::/\n").empty());
  EXPECT_TRUE(parse_mountinfo("\n1 2\n1 2 3 / / rw - t s o\n1 2 0:1 / /x rw shared:1\n").empty());
}

TEST(CgroupParser, MountsAreUnescaped) {
  const auto mounts =
      parse_mountinfo("36 35 98:0 /mnt1 /mnt\\0402 rw master:1 - ext3 /dev/root rw,dax=always\n");
  ASSERT_EQ(mounts.size(), 1u);
  EXPECT_EQ(mounts[0],
            (Mount{98, 0, "/mnt1", "/mnt 2", "ext3", "/dev/root", "rw", "rw,dax=always"}));
  EXPECT_TRUE(has_option(mounts[0].super_options, "dax=always"));
  EXPECT_FALSE(has_option(mounts[0].super_options, "dax"));
}

TEST(CgroupParser, FindsDirectoriesOnAHybridMachine) {
  const auto entries = parse_cgroup(kHybridCgroup);
  const auto mounts = parse_mountinfo(kHybridMounts);
  const auto memory = find_cgroup(entries, mounts, "memory");
  ASSERT_TRUE(memory.has_value());
  EXPECT_EQ(memory->path, "/sys/fs/cgroup/memory/service/a0f0");
  EXPECT_EQ(memory->mount, "/sys/fs/cgroup/memory");
  EXPECT_FALSE(memory->unified);
  EXPECT_EQ(find_cgroup(entries, mounts, "pids")->path, "/sys/fs/cgroup/pids");
  // Not in any v1 hierarchy: the unified one has it, if anyone has.
  const auto io = find_cgroup(entries, mounts, "io");
  ASSERT_TRUE(io.has_value());
  EXPECT_TRUE(io->unified);
  EXPECT_EQ(io->path, "/sys/fs/cgroup/unified");
}

TEST(CgroupParser, FindsTheDirectoryOnAUnifiedMachine) {
  const auto entries = parse_cgroup("0::/system.slice/db.service\n");
  const auto mounts =
      parse_mountinfo("30 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n");
  EXPECT_EQ(find_cgroup(entries, mounts, "memory")->path, "/sys/fs/cgroup/system.slice/db.service");
}

TEST(CgroupParser, AMountOfASubtreeShowsOnlyItsOwn) {
  // A container whose runtime bind-mounted its own cgroup, without a cgroup namespace.
  const auto mounts = parse_mountinfo(
      "30 24 0:27 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  const auto inside = parse_cgroup("4:memory:/docker/abc/job\n");
  EXPECT_EQ(find_cgroup(inside, mounts, "memory")->path, "/sys/fs/cgroup/memory/job");
  EXPECT_EQ(find_cgroup(parse_cgroup("4:memory:/docker/abcd\n"), mounts, "memory"), std::nullopt);
  EXPECT_EQ(find_cgroup(parse_cgroup("4:memory:/docker\n"), mounts, "memory"), std::nullopt);
}

TEST(CgroupParser, AProcessOutsideTheNamespaceIsNotFound) {
  const auto mounts = parse_mountinfo("30 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(find_cgroup(parse_cgroup("0::/../other\n"), mounts, "memory"), std::nullopt);
  EXPECT_EQ(find_cgroup({}, mounts, "memory"), std::nullopt);
  EXPECT_EQ(find_cgroup(parse_cgroup("0::/a\n"), {}, "memory"), std::nullopt);
}

}  // namespace
}  // namespace doppel
