// SPDX-License-Identifier: Apache-2.0
//
// Every system call of a capture and of the writing of its dump fails once in turn. Each time the
// target runs on as before, nothing of ours is left anywhere, and the error names the step. And
// every kind of call that an older kernel lacks is missing once: the fallback does the work.
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include <cstdio>

#include <tests/support/dumping.h>
#include <tests/support/faulty_sys.h>
#include <tests/support/live_target.h>

namespace doppel {
namespace {

std::string describe(const FaultySys& sys, int n, const Error& error) {
  return "call " + std::to_string(n) + " (number " + std::to_string(sys.hit_number()) +
         ", first argument " + std::to_string(sys.hit_argument()) + "): " + error.step + " " +
         error.subject + " errno " + std::to_string(error.os) + " at " + error.file + ":" +
         std::to_string(error.line);
}

/// Lets call 1, 2, 3, ... fail with `error` until a dump is made without reaching the n-th call.
void sweep(const std::string& victim, const std::vector<std::string>& arguments, int error) {
  LiveTarget target(victim, arguments);
  const Unharmed unharmed(target);
  int failed = 0, tolerated = 0, wrong = 0;
  for (int n = 1;; ++n) {
    SCOPED_TRACE(n);
    TempDir directory;
    FaultPlan plan;
    plan.fail_at = n;
    plan.error = error;
    FaultySys sys(plan);
    const std::string path = directory.file("dump.core");
    auto dumped = dump_to_file(target.pid(), path, {.compress = true, .sys = &sys});
    if (!sys.fired()) {
      ASSERT_TRUE(dumped.has_value()) << describe(sys, n, dumped.error());
      break;
    }
    const std::string harm = unharmed.harm();
    EXPECT_EQ(harm, "") << "after call " << n << ", number " << sys.hit_number()
                        << ", first argument " << sys.hit_argument();
    if (dumped) {
      ++tolerated;
      EXPECT_TRUE(std::filesystem::exists(path));
    } else {
      ++failed;
      EXPECT_STRNE(dumped.error().step, "") << describe(sys, n, dumped.error());
      EXPECT_TRUE(directory.empty()) << "a file is left; " << describe(sys, n, dumped.error());
    }
    if (!harm.empty() && ++wrong >= 3) FAIL() << "too much harm, the sweep is given up";
    ASSERT_LT(n, 100000) << "the sweep does not end";
  }
  std::printf("%s: %d calls failed the capture, %d were borne\n", victim.c_str(), failed,
              tolerated);
  EXPECT_GT(failed, 20);
  const Ending ending = target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
}

TEST(NthSyscall, FailsQuiet) {
  sweep("quiet", {"16", "1"}, EIO);
}

TEST(NthSyscall, FailsBusy) {
  sweep("busy_threads", {"0", "0"}, ENOMEM);
}

TEST(NthSyscall, IsInterrupted) {
  sweep("quiet", {"16", "0"}, EINTR);
}

struct Missing {
  const char* name;
  long number;
  long first, second;
  int error;
};

class Lacking : public testing::TestWithParam<Missing> {};

TEST_P(Lacking, TheFallbackDoesTheWork) {
  const Missing& missing = GetParam();
  LiveTarget target("busy_threads", {"2", "2"});
  const Unharmed unharmed(target);
  TempDir directory;
  FaultPlan plan;
  plan.deny_number = missing.number;
  plan.deny_first_argument = missing.first;
  plan.deny_second_argument = missing.second;
  plan.deny_error = missing.error;
  FaultySys sys(plan);
  auto dumped = dump_to_file(target.pid(), directory.file("dump.core"), {.sys = &sys});
  EXPECT_GT(sys.denials(), 0) << "the call was not made: this proves nothing";
  EXPECT_TRUE(dumped.has_value()) << describe(sys, 0, dumped.error());
  EXPECT_EQ(unharmed.harm(), "");
  const Ending ending = target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
}

INSTANTIATE_TEST_SUITE_P(
    OldKernel, Lacking,
    testing::Values(Missing{"close_range", SYS_close_range, -1, -1, ENOSYS},      // 5.9
                    Missing{"pagemap_scan", SYS_ioctl, -1, -1, ENOTTY},           // 6.7
                    Missing{"rseq_configuration", SYS_ptrace, 0x420f, -1, EIO}),  // 5.13
    [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace doppel
