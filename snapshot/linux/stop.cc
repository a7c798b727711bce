// SPDX-License-Identifier: Apache-2.0
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include <snapshot/linux/stop.h>

namespace doppel {
namespace {

constexpr std::uint64_t kSigchldMask = 1ull << (SIGCHLD - 1);

Stop interpret(const siginfo_t& info) {
  if (info.si_pid == 0) return {};
  if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED) return {StopKind::exited, 0};
  // For a ptrace stop si_status is the whole exit_code: signal | event << 8 (kernel/exit.c,
  // wait_task_stopped).
  const int signal = info.si_status & 0x7f;
  const int event = info.si_status >> 8;
  if (event == PTRACE_EVENT_STOP) {
    return signal == SIGTRAP ? Stop{StopKind::trap, 0} : Stop{StopKind::group_stop, signal};
  }
  if (event == PTRACE_EVENT_EXEC) return {StopKind::exec, 0};
  if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK) return {StopKind::clone, 0};
  if (event != 0) return {StopKind::trap, 0};
  if ((info.si_status & 0x80) != 0) return {StopKind::syscall, 0};
  return {StopKind::signal, signal};
}

}  // namespace

std::uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

Result<Stop> peek_stop(Sys& sys, pid_t tid) {
  siginfo_t info{};
  const long value = sys.waitid(P_PID, tid, &info, WSTOPPED | WEXITED | WNOWAIT | WNOHANG | __WALL);
  if (value < 0) {
    if (value == -ECHILD) return fail(Errc::gone, "look at thread", std::to_string(tid), ECHILD);
    return fail_errno(static_cast<int>(-value), "look at thread", std::to_string(tid));
  }
  return interpret(info);
}

Result<Stop> wait_stop(Sys& sys, pid_t tid, std::uint64_t deadline_ns) {
  int failures = 0;
  while (true) {
    Result<Stop> stop = peek_stop(sys, tid);
    if (!stop) {
      // A passing error must not leave a thread behind in a stop that nobody ends.
      if (stop.error().code == Errc::gone || ++failures > 3) return stop;
      continue;
    }
    if (stop->kind != StopKind::none) return stop;
    const std::uint64_t now = monotonic_ns();
    if (now >= deadline_ns) return Stop{};
    // SIGCHLD is blocked: it becomes pending with each stop, so none can be missed between look and
    // wait.
    (void)sys.sigtimedwait(kSigchldMask, static_cast<std::int64_t>(std::min<std::uint64_t>(
                                             deadline_ns - now, 20'000'000)));
  }
}

}  // namespace doppel
