// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include <snapshot/linux/burial_timer.h>
#include <snapshot/linux/stop.h>

namespace doppel {
namespace {

constexpr suseconds_t kInterval = 5000;  // microseconds

// What the handler works on. Written before the timer is set, by the thread that it interrupts.
Sys* g_sys = nullptr;
const CaptureArena* g_arena = nullptr;

/// Async-signal-safe: system calls and the arena only. A record's thread is named before it is
/// attached to; waitid knows which of them are tracees.
void bury_dead(int) {
  const int error = errno;
  for (const ThreadRecord& record :
       g_arena->records().first(std::atomic_ref(g_arena->header().thread_count).load())) {
    if (record.tid == 0) continue;
    // A look first: a wait for deaths consumes stops too, and with them signals.
    siginfo_t info{};
    constexpr int kLook = WSTOPPED | WEXITED | WNOWAIT | WNOHANG | __WALL;
    if (g_sys->waitid(P_PID, record.tid, &info, kLook) != 0 || info.si_pid == 0) continue;
    if (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED) continue;
    (void)g_sys->waitid(P_PID, record.tid, &info, WEXITED | WNOHANG | __WALL);
  }
  errno = error;
}

long set_interval(Sys& sys, suseconds_t interval) {
  const itimerval timer{.it_interval = {0, interval}, .it_value = {0, interval}};
  return sys.invoke(SYS_setitimer, ITIMER_REAL, reinterpret_cast<long>(&timer));
}

}  // namespace

Result<BurialTimer> BurialTimer::start(Sys& sys, const CaptureArena& arena) {
  g_sys = &sys;
  g_arena = &arena;
  BurialTimer timer(sys);
  struct sigaction action{};
  action.sa_handler = bury_dead;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGALRM, &action, &timer.action_before_);
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  pthread_sigmask(SIG_UNBLOCK, &alarm, &timer.mask_before_);
  DOPPEL_TRY(check(set_interval(sys, kInterval), "set a timer"));
  return timer;
}

BurialTimer::BurialTimer(BurialTimer&& other) noexcept
    : sys_(std::exchange(other.sys_, nullptr)),
      mask_before_(other.mask_before_),
      action_before_(other.action_before_) {}

BurialTimer::~BurialTimer() {
  if (sys_ == nullptr) return;
  for (int attempt = 0; attempt < 3 && set_interval(*sys_, 0) < 0; ++attempt) {
  }
  pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
  ::sigaction(SIGALRM, &action_before_, nullptr);
}

}  // namespace doppel
