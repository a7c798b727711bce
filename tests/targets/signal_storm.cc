// SPDX-License-Identifier: Apache-2.0
//
// A storm of signals from a sibling process and from timers; not one may be lost or invented.
//   SIGUSR1     one at a time: the sender waits for the handler before it sends the next
//   SIGRTMIN+1  queued with values: count and sum of values are exact
//   SIGRTMIN+2  a POSIX timer: expirations and overruns add up to the time passed
//   SIGALRM     an interval timer: only that it does not stop
//   SIGWINCH, SIGURG, SIGCHLD  ignored by default, sent all the time: nothing may come of them
//   SIGUSR2     to one certain thread by tgkill, handled there only
// The sender is a child that ends when its pipe is closed.
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <atomic>

#include <tests/targets/victim.h>

struct Shared {
  std::atomic<long> usr1_sent, usr1_handled;
  std::atomic<long> queued_sent, queued_handled;
  std::atomic<long> queued_sent_sum, queued_handled_sum;
  std::atomic<long> usr2_sent, usr2_handled;
  std::atomic<long> alarms;
  std::atomic<long> ticks;
  std::atomic<bool> stop;
};

static Shared* shared;
static pthread_t usr2_thread;
static pid_t usr2_tid;

static void on_usr1(int) {
  shared->usr1_handled.fetch_add(1);
}

static void on_usr2(int) {
  if (static_cast<pid_t>(syscall(SYS_gettid)) != usr2_tid)
    victim::fail("SIGUSR2 reached another thread");
  shared->usr2_handled.fetch_add(1);
}

static void on_queued(int, siginfo_t* info, void*) {
  if (info->si_code != SI_QUEUE) victim::fail("a queued signal lost its origin: %d", info->si_code);
  shared->queued_handled.fetch_add(1);
  shared->queued_handled_sum.fetch_add(info->si_value.sival_int);
}

static void on_tick(int, siginfo_t* info, void*) {
  if (info->si_code != SI_TIMER)
    victim::fail("a timer's signal lost its origin: %d", info->si_code);
  shared->ticks.fetch_add(1 + info->si_overrun);
}

static void on_alarm(int) {
  shared->alarms.fetch_add(1);
}

static std::atomic<bool> spin_stop{false};

static void* spin(void*) {
  usr2_tid = victim::tid();
  while (!spin_stop.load(std::memory_order_relaxed)) {
  }
  return nullptr;
}

static void* nap(void*) {
  // The only thread that takes the other signals: it sleeps in calls the handlers may interrupt.
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  while (!spin_stop.load(std::memory_order_relaxed)) {
    const timespec one = {0, 1000000};
    nanosleep(&one, nullptr);
  }
  return nullptr;
}

static void send_all(pid_t parent, pid_t target_tid) {
  int value = 0;
  while (!shared->stop.load()) {
    shared->usr1_sent.fetch_add(1);
    kill(parent, SIGUSR1);
    kill(parent, SIGWINCH);
    kill(parent, SIGURG);
    kill(parent, SIGCHLD);
    for (int i = 0; i < 8; ++i) {
      sigval number = {};
      number.sival_int = ++value % 1000;
      if (sigqueue(parent, SIGRTMIN + 1, number) == 0) {
        shared->queued_sent.fetch_add(1);
        shared->queued_sent_sum.fetch_add(number.sival_int);
      }
    }
    shared->usr2_sent.fetch_add(1);
    syscall(SYS_tgkill, parent, target_tid, SIGUSR2);
    const double until = victim::now() + 10;
    while (shared->usr1_handled.load() != shared->usr1_sent.load() ||
           shared->usr2_handled.load() != shared->usr2_sent.load()) {
      if (victim::now() > until)
        victim::fail("a signal was lost: USR1 %ld of %ld, USR2 %ld of %ld",
                     shared->usr1_handled.load(), shared->usr1_sent.load(),
                     shared->usr2_handled.load(), shared->usr2_sent.load());
      sched_yield();
    }
  }
  _exit(0);
}

int main() {
  shared = static_cast<Shared*>(
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  VICTIM_CHECK(shared != MAP_FAILED);
  new (shared) Shared{};
  auto handle = [](int signal, auto handler, int flags) {
    struct sigaction action = {};
    if constexpr (std::is_invocable_v<decltype(handler), int>)
      action.sa_handler = handler;
    else
      action.sa_sigaction = handler;
    action.sa_flags = flags | SA_RESTART;
    sigfillset(&action.sa_mask);
    VICTIM_CHECK(sigaction(signal, &action, nullptr) == 0);
  };
  handle(SIGUSR1, on_usr1, 0);
  handle(SIGUSR2, on_usr2, 0);
  handle(SIGALRM, on_alarm, 0);
  handle(SIGRTMIN + 1, on_queued, SA_SIGINFO);
  handle(SIGRTMIN + 2, on_tick, SA_SIGINFO);
  pthread_t napper;
  VICTIM_CHECK(pthread_create(&usr2_thread, nullptr, spin, nullptr) == 0);
  while (*static_cast<volatile pid_t*>(&usr2_tid) == 0) sched_yield();
  const pid_t parent = getpid();
  const pid_t sender = fork();
  VICTIM_CHECK(sender >= 0);
  if (sender == 0) send_all(parent, usr2_tid);
  VICTIM_CHECK(pthread_create(&napper, nullptr, nap, nullptr) == 0);
  // The serving thread takes none: its read must never be interrupted.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  timer_t timer;
  sigevent event = {};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGRTMIN + 2;
  VICTIM_CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  const itimerspec each = {{0, 2000000}, {0, 2000000}};
  VICTIM_CHECK(timer_settime(timer, 0, &each, nullptr) == 0);
  const double timer_begin = victim::now();
  const itimerval alarms = {{0, 3000}, {0, 3000}};
  VICTIM_CHECK(setitimer(ITIMER_REAL, &alarms, nullptr) == 0);
  while (shared->usr1_handled.load() < 3) sched_yield();
  victim::ready();
  victim::serve([](const std::string&) {
    victim::say("{\"usr1\":%ld,\"queued\":%ld,\"ticks\":%ld,\"alarms\":%ld}",
                shared->usr1_handled.load(), shared->queued_handled.load(), shared->ticks.load(),
                shared->alarms.load());
  });
  shared->stop.store(true);
  int status = 0;
  VICTIM_CHECK(waitpid(sender, &status, 0) == sender && WIFEXITED(status) &&
               WEXITSTATUS(status) == 0);
  const long alarms_before = shared->alarms.load();
  const double until = victim::now() + 10;
  while ((shared->queued_handled.load() != shared->queued_sent.load() ||
          shared->alarms.load() == alarms_before) &&
         victim::now() < until)
    sched_yield();
  VICTIM_CHECK(shared->queued_handled.load() == shared->queued_sent.load());
  VICTIM_CHECK(shared->queued_handled_sum.load() == shared->queued_sent_sum.load());
  VICTIM_CHECK(shared->usr1_handled.load() == shared->usr1_sent.load());
  VICTIM_CHECK(shared->usr2_handled.load() == shared->usr2_sent.load());
  VICTIM_CHECK(shared->alarms.load() > alarms_before);
  // Expirations and overruns together are the time that passed; two may be on their way.
  const double due = (victim::now() - timer_begin) / 0.002;
  const double seen = static_cast<double>(shared->ticks.load());
  if (seen < due - 25 || seen > due + 1)
    victim::fail("the timer expired %.0f times, %.0f were due", seen, due);
  spin_stop.store(true);
  pthread_join(usr2_thread, nullptr);
  errno = 0;
  VICTIM_CHECK(waitpid(-1, nullptr, WNOHANG | __WALL) == -1 && errno == ECHILD);
  victim::finish_ok();
}
