// SPDX-License-Identifier: Apache-2.0
//
// The readings from files that a test writes, and the thread that acts on them.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <future>
#include <map>
#include <mutex>

#include <cli/memory_guard.h>

namespace doppel {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

/// The real system, but files only from a map that may change at any time.
class PaperSys final : public Sys {
 public:
  void put(const std::string& path, std::string text) {
    const std::scoped_lock lock(mutex_);
    files_[path] = std::move(text);
  }

  long invoke(long number, long a, long b, long c, long d, long e, long f) override {
    if (number != SYS_openat) return Sys::invoke(number, a, b, c, d, e, f);
    const std::scoped_lock lock(mutex_);
    const auto found = files_.find(reinterpret_cast<const char*>(b));
    if (found == files_.end()) return -ENOENT;
    const int fd = ::memfd_create("paper", MFD_CLOEXEC);
    if (fd < 0) return -errno;
    const std::string& text = found->second;
    if (::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) ::abort();
    ::lseek(fd, 0, SEEK_SET);
    return fd;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> files_;
};

std::string meminfo(std::uint64_t available_kb) {
  return "MemTotal: 16000000 kB\nMemAvailable: " + std::to_string(available_kb) +
         " kB\nSwapFree: 0 kB\n";
}

void put_cgroups(PaperSys& sys) {
  sys.put("/proc/4711/cgroup", "0::/outer/inner\n");
  sys.put("/proc/self/mountinfo",
          "30 20 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
  sys.put("/sys/fs/cgroup/outer/memory.max", "1000000000\n");
  sys.put("/sys/fs/cgroup/outer/memory.high", "max\n");
  sys.put("/sys/fs/cgroup/outer/memory.current", "400000000\n");
  sys.put("/sys/fs/cgroup/outer/memory.stat", "inactive_file 50000000\nactive_file 50000000\n");
  sys.put("/sys/fs/cgroup/outer/inner/memory.max", "max\n");
  sys.put("/sys/fs/cgroup/outer/inner/memory.current", "300000000\n");
  sys.put("/sys/fs/cgroup/outer/inner/memory.pressure",
          "some avg10=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n");
}

TEST(memory_watch, reads_the_machine_and_every_cgroup_above_the_target) {
  PaperSys sys;
  put_cgroups(sys);
  sys.put("/proc/meminfo", meminfo(8'000'000));
  sys.put("/proc/pressure/memory", "full avg10=1.00 avg60=0.00 avg300=0.00 total=9\n");
  const MemoryReading reading = MemoryWatch(sys, 4711).read();
  EXPECT_EQ(reading.pools,
            (std::vector<PoolReading>{
                {.name = "the machine", .total = 16'000'000ull << 10, .left = 8'000'000ull << 10},
                {.name = "cgroup /outer", .total = 1'000'000'000, .left = 700'000'000}}));
  EXPECT_EQ(reading.stalls,
            (std::vector<StallReading>{
                {.name = "the machine", .total_us = 9, .share_before = 0.01},
                {.name = "cgroup /outer/inner", .total_us = 7, .share_before = 0}}));
}

TEST(memory_watch, what_cannot_be_read_is_left_out) {
  PaperSys sys;
  const MemoryReading reading = MemoryWatch(sys, 4711).read();
  EXPECT_TRUE(reading.pools.empty());
  EXPECT_TRUE(reading.stalls.empty());
}

class memory_guard : public testing::Test {
 protected:
  std::future<std::string> watch(MemoryGuard& guard) {
    guard.watch([this](const std::string& reason) { reason_.set_value(reason); });
    return reason_.get_future();
  }

  PaperSys sys_;
  std::promise<std::string> reason_;
};

TEST_F(memory_guard, calls_once_when_memory_runs_out) {
  sys_.put("/proc/meminfo", meminfo(8'000'000));
  MemoryGuard guard(sys_, 4711);
  std::future<std::string> reason = watch(guard);
  sys_.put("/proc/meminfo", meminfo(100'000));
  ASSERT_EQ(reason.wait_for(30s), std::future_status::ready);
  EXPECT_THAT(reason.get(), HasSubstr("memory of the machine runs out: 97.7 MiB of 15.3 GiB left"));
  guard.stop();  // a second call would have thrown from set_value()
}

TEST_F(memory_guard, calls_at_once_when_it_ran_out_before_anyone_asked) {
  sys_.put("/proc/meminfo", meminfo(100'000));
  MemoryGuard guard(sys_, 4711);
  std::future<std::string> reason = watch(guard);
  EXPECT_EQ(reason.wait_for(30s), std::future_status::ready);
}

TEST_F(memory_guard, a_cgroup_at_its_limit_is_enough) {
  put_cgroups(sys_);
  sys_.put("/proc/meminfo", meminfo(8'000'000));
  MemoryGuard guard(sys_, 4711);
  std::future<std::string> reason = watch(guard);
  sys_.put("/sys/fs/cgroup/outer/memory.current", "1090000000\n");
  ASSERT_EQ(reason.wait_for(30s), std::future_status::ready);
  EXPECT_THAT(reason.get(), HasSubstr("cgroup /outer"));
}

TEST_F(memory_guard, is_silent_once_stopped) {
  sys_.put("/proc/meminfo", meminfo(8'000'000));
  MemoryGuard guard(sys_, 4711);
  std::future<std::string> reason = watch(guard);
  guard.stop();
  sys_.put("/proc/meminfo", meminfo(100'000));
  EXPECT_EQ(reason.wait_for(0s), std::future_status::timeout);
}

}  // namespace
}  // namespace doppel
