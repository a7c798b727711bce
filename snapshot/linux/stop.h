// SPDX-License-Identifier: Apache-2.0
//
// waitid's answer about a traced task as named cases; the only place that interprets it. A stop is
// looked at with WNOWAIT and left unconsumed: were it consumed and the tracer killed before it
// passes the signal on, the kernel would resume the thread without the signal (kernel/ptrace.c:
// exit_code is cleared by the wait).
#ifndef DOPPEL_SNAPSHOT_LINUX_STOP_H_
#define DOPPEL_SNAPSHOT_LINUX_STOP_H_

#include <sys/types.h>

#include <cstdint>

#include <snapshot/support/result.h>
#include <snapshot/support/sys.h>

namespace doppel {

enum class StopKind {
  none,        ///< still running, or not yet stopped
  trap,        ///< PTRACE_EVENT_STOP: our own interrupt, or a newborn
  group_stop,  ///< PTRACE_EVENT_STOP with a stop signal: job control
  signal,      ///< a signal on its way; passed on by the call that resumes the thread
  syscall,     ///< entry or exit of a system call
  clone,       ///< PTRACE_EVENT_CLONE: inside the call that made a new task
  exec,        ///< PTRACE_EVENT_EXEC: another program
  exited,      ///< dead; not reaped yet
};

struct Stop {
  StopKind kind = StopKind::none;
  int signal = 0;  ///< for signal and group_stop
};

/// Nanoseconds of CLOCK_MONOTONIC.
std::uint64_t monotonic_ns();

/// Looks at the task without waiting and without consuming its state. Errc::gone when it is no
/// tracee.
Result<Stop> peek_stop(Sys& sys, pid_t tid);

/// Waits until the task stops or dies, at most until `deadline_ns` (monotonic): then kind is none.
/// The caller keeps SIGCHLD blocked. Reaps nothing.
Result<Stop> wait_stop(Sys& sys, pid_t tid, std::uint64_t deadline_ns);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_STOP_H_
