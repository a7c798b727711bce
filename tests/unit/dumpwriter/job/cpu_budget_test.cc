// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <string>

#include <dumpwriter/job/cpu_budget.h>

namespace doppel {
namespace {

/// Files from a map, affinity of `cpus` CPUs.
class CannedSys final : public Sys {
 public:
  std::map<std::string, std::string> files;
  unsigned cpus = 8;

  long invoke(long number, long a, long b, long c, long d, long e, long f) override {
    (void)d, (void)e, (void)f;
    switch (number) {
      case SYS_sched_getaffinity: {
        auto* mask = reinterpret_cast<unsigned char*>(c);
        std::memset(mask, 0, static_cast<std::size_t>(b));
        for (unsigned cpu = 0; cpu < cpus; ++cpu) mask[2 * cpu / 8] |= 1u << (2 * cpu % 8);
        return 128;
      }
      case SYS_openat: {
        const auto found = files.find(reinterpret_cast<const char*>(b));
        if (found == files.end()) return -ENOENT;
        return 100 + std::distance(files.begin(), found);
      }
      case SYS_read: {
        const std::string& text = std::next(files.begin(), a - 100)->second;
        const std::size_t size = std::min<std::size_t>(text.size(), static_cast<std::size_t>(c));
        std::memcpy(reinterpret_cast<void*>(b), text.data(), size);
        return static_cast<long>(size);
      }
      case SYS_close:
        return 0;
      default:
        return -ENOSYS;
    }
  }
};

TEST(CpuBudget, TheAffinityMaskCounts) {
  CannedSys sys;
  sys.cpus = 3;
  EXPECT_EQ(available_cpus(sys), 3u);
  sys.cpus = 0;
  EXPECT_EQ(available_cpus(sys), 1u);
}

TEST(CpuBudget, AQuotaOfAnyParentCounts) {
  CannedSys sys;
  sys.files["/proc/self/cgroup"] = "0::/a/b\n";
  sys.files["/sys/fs/cgroup/a/b/cpu.max"] = "max 100000\n";
  EXPECT_EQ(available_cpus(sys), 8u);
  sys.files["/sys/fs/cgroup/a/cpu.max"] = "150000 100000\n";
  EXPECT_EQ(available_cpus(sys), 2u);
  sys.files["/sys/fs/cgroup/a/b/cpu.max"] = "1000 100000\n";
  EXPECT_EQ(available_cpus(sys), 1u);
}

TEST(CpuBudget, VersionOneToo) {
  CannedSys sys;
  sys.files["/proc/self/cgroup"] = "5:memory:/x\n4:cpu,cpuacct:/c\n0::/\n";
  sys.files["/sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us"] = "-1\n";
  sys.files["/sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us"] = "100000\n";
  EXPECT_EQ(available_cpus(sys), 8u);
  sys.files["/sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us"] = "400000\n";
  EXPECT_EQ(available_cpus(sys), 4u);
}

TEST(CpuBudget, NonsenseDoesNotLimit) {
  CannedSys sys;
  sys.files["/proc/self/cgroup"] = "garbage\n0::\n::\n0::/a\n";
  sys.files["/sys/fs/cgroup/a/cpu.max"] = "what ever";
  EXPECT_EQ(available_cpus(sys), 8u);
  sys.files["/sys/fs/cgroup/a/cpu.max"] = "";
  EXPECT_EQ(available_cpus(sys), 8u);
  sys.files["/sys/fs/cgroup/a/cpu.max"] = "100 0";
  EXPECT_EQ(available_cpus(sys), 8u);
}

TEST(CpuBudget, TheRealSystemHasAtLeastOne) {
  EXPECT_GE(available_cpus(), 1u);
}

}  // namespace
}  // namespace doppel
