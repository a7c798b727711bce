// SPDX-License-Identifier: Apache-2.0
//
// Reaps dead tracees while their tracer waits inside PTRACE_SEIZE. An exec waits for the other
// threads of its process to be gone, which a traced one is not before its tracer has reaped it
// (fs/exec.c: de_thread); all that time it holds the mutex that PTRACE_SEIZE of one more thread
// waits for (kernel/ptrace.c: ptrace_attach). Neither ever goes on by itself: the service would
// stand in its exec for ever. The wait of the seize can be interrupted, so a timer's handler does
// what the tracer cannot.
//
// It must not know why threads are traced. One at a time in a process, in its only thread; SIGALRM
// and the real-time interval timer are its own while it lives.
#ifndef DOPPEL_SNAPSHOT_LINUX_BURIAL_TIMER_H_
#define DOPPEL_SNAPSHOT_LINUX_BURIAL_TIMER_H_

#include <csignal>

#include <snapshot/linux/capture_arena.h>
#include <snapshot/support/sys.h>

namespace doppel {

class BurialTimer {
 public:
  /// From now on every 5 ms the threads of the arena's records are looked at, and those that are
  /// dead are reaped: their Tracee then finds them gone.
  static Result<BurialTimer> start(Sys& sys, const CaptureArena& arena);

  BurialTimer(BurialTimer&& other) noexcept;
  BurialTimer& operator=(BurialTimer&&) = delete;
  ~BurialTimer();

 private:
  explicit BurialTimer(Sys& sys) : sys_(&sys) {}

  Sys* sys_;  ///< null: moved from
  sigset_t mask_before_{};
  struct sigaction action_before_{};
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_BURIAL_TIMER_H_
