// SPDX-License-Identifier: Apache-2.0
//
// The measurement leaves nothing behind, whatever fails in it.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>

#include <snapshot/linux/machine_speed.h>
#include <tests/unit/snapshot/linux/scripted_sys.h>

namespace doppel {
namespace {

bool no_child_left() {
  siginfo_t info;
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) == -1 && errno == ECHILD;
}

TEST(MachineSpeed, IsAFactorWithinBounds) {
  const double slowness = measure_slowness(Sys::real());
  EXPECT_GE(slowness, 0.25);
  EXPECT_LE(slowness, 4);
  EXPECT_TRUE(no_child_left());
}

TEST(MachineSpeed, AFailingCallLeavesNothing) {
  int calls = 0;
  int left = 0;
  for (int n = 1;; ++n) {
    ScriptedSys sys;
    sys.fail_at = n;
    sys.hook = [&](long number, long, long, long) -> std::optional<long> {
      if (number == SYS_mmap) ++left;
      if (number == SYS_munmap) --left;
      return std::nullopt;
    };
    const double slowness = measure_slowness(sys);
    EXPECT_GE(slowness, 0.25) << n;
    EXPECT_TRUE(no_child_left()) << n;
    if (sys.calls < n) break;
    calls = sys.calls;
  }
  EXPECT_GT(calls, 10);
  // One mapping more at most: the one of which the release itself was made to fail.
  EXPECT_LE(left, 1);
}

TEST(MachineSpeed, WithoutForksTheReferenceHolds) {
  ScriptedSys sys;
  sys.hook = [](long number, long, long, long) -> std::optional<long> {
    if (number == SYS_clone) return -EAGAIN;
    return std::nullopt;
  };
  EXPECT_EQ(measure_slowness(sys), 1);
}

}  // namespace
}  // namespace doppel
