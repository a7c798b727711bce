// SPDX-License-Identifier: Apache-2.0
//
// SIGKILL to the command before each of its system calls, and to the tracer process before each of
// its: the target runs on as before, nothing is left in it, beside it or on disk. One limit is
// known and named (docs/limits.md): the tracer killed while a thread of the target holds foreign
// registers, the microseconds of one injected call. Only there may a kill show.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include <tests/support/dumping.h>
#include <tests/support/faulty_sys.h>
#include <tests/support/live_target.h>

namespace doppel {
namespace {

using Clock = std::chrono::steady_clock;

/// Waits for a child; false when it did not end in time.
bool wait_for(pid_t child, int& status, std::chrono::seconds time) {
  const auto until = Clock::now() + time;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (Clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return true;
}

/// What the process that captured tells of it; the default when it was killed.
struct Said {
  char verdict = 'k';
  bool foreign = false;
  long number = 0, argument = 0;
};

/// True when the process dies at once: it is a zombie of ours then.
bool dies_soon(pid_t pid) {
  const auto until = Clock::now() + std::chrono::milliseconds(100);
  while (Clock::now() < until) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == pid)
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

void sweep(const std::vector<std::string>& victim, FaultPlan::Role role) {
  auto target = std::make_unique<LiveTarget>(
      victim[0], std::vector<std::string>(victim.begin() + 1, victim.end()));
  auto unharmed = std::make_unique<Unharmed>(*target);
  int kills = 0, limits = 0, wrong = 0;
  for (int n = 1;; ++n) {
    SCOPED_TRACE(n);
    TempDir directory;
    FaultPlan plan;
    plan.kill_at = n;
    plan.kill_role = role;
    const std::string path = directory.file("dump.core");
    FaultySys* sys = nullptr;
    // The object must know the command's process as its own: it is made there.
    int handshake[2];
    ASSERT_EQ(::pipe(handshake), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(handshake[0]);
      sys = new FaultySys(plan);
      auto dumped = dump_to_file(target->pid(), path, {.compress = true, .sys = sys});
      // 0: not reached; 1: reached, and the dump was made all the same; 2: an error that names its
      // step.
      const char verdict = !sys->fired() ? (dumped ? '0' : '!')
                           : dumped      ? '1'
                                         : (*dumped.error().step != 0 ? '2' : '?');
      Said said{verdict, sys->hit_while_foreign(), sys->hit_number(), sys->hit_argument()};
      if (::write(handshake[1], &said, sizeof said) != sizeof said) ::_exit(3);
      ::_exit(0);
    }
    ::close(handshake[1]);
    int status = 0;
    const bool ended = wait_for(child, status, std::chrono::seconds(20));
    if (!ended) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
    }
    Said said;
    if (::read(handshake[0], &said, sizeof said) != sizeof said) said = {};
    const char verdict = said.verdict;
    const bool foreign = said.foreign;
    ::close(handshake[0]);
    ASSERT_TRUE(ended) << "the command hangs after the " << n << "th call's process was killed";
    const std::string harm = foreign && dies_soon(target->pid()) ? "it died" : unharmed->harm();
    EXPECT_TRUE(harm.empty() || foreign)
        << harm << "after kill " << n << ", verdict " << verdict << ", before call " << said.number
        << " (" << said.argument << ", ...)";
    if (verdict == '0') break;
    ++kills;
    EXPECT_NE(verdict, '!') << "an error without a fault";
    EXPECT_NE(verdict, '?') << "an error that does not name its step";
    if (role == FaultPlan::Role::command) {
      EXPECT_EQ(verdict, 'k');
      EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    } else {
      EXPECT_NE(verdict, 'k') << "the command died with its tracer process: status " << status;
    }
    const bool may_leave_a_dump = verdict == '1' || role == FaultPlan::Role::command;
    EXPECT_TRUE(may_leave_a_dump || directory.empty()) << "a file is left, verdict " << verdict;
    if (!harm.empty()) {
      if (foreign) ++limits;
      if (!foreign && ++wrong >= 3) FAIL() << "too much harm, the sweep is given up";
      target = std::make_unique<LiveTarget>(
          victim[0], std::vector<std::string>(victim.begin() + 1, victim.end()));
      unharmed = std::make_unique<Unharmed>(*target);
    }
    ASSERT_LT(n, 100000) << "the sweep does not end";
  }
  std::printf("%s: killed before %d calls, the named limit met at %d of them\n", victim[0].c_str(),
              kills, limits);
  EXPECT_GT(kills, 20);
  // Two injected calls: one makes the helper, one collects it; and one more for the clone.
  EXPECT_LE(limits, 3 * 16);
  if (role == FaultPlan::Role::command) {
    EXPECT_EQ(limits, 0);
  }
  const Ending ending = target->finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
}

TEST(KillAnywhere, Command) {
  sweep({"quiet", "16", "1"}, FaultPlan::Role::command);
}

TEST(KillAnywhere, Tracer) {
  sweep({"quiet", "16", "1"}, FaultPlan::Role::tracer);
}

TEST(KillAnywhere, TracerOfABusyTarget) {
  sweep({"busy_threads", "1", "1"}, FaultPlan::Role::tracer);
}

}  // namespace
}  // namespace doppel
