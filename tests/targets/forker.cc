// SPDX-License-Identifier: Apache-2.0
//
// Forks and waits all the time. waitpid(-1) must give its own children only, with their own status,
// and every child must give exactly one SIGCHLD that names it.
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>

#include <tests/targets/victim.h>

static std::atomic<bool> stop{false};
static std::atomic<unsigned long> forks{0};
static volatile sig_atomic_t chld_count;
static volatile sig_atomic_t chld_pid;

static void on_chld(int, siginfo_t* info, void*) {
  chld_count = chld_count + 1;
  chld_pid = info->si_pid;
}

static void* fork_and_wait(void*) {
  sigset_t chld;
  sigemptyset(&chld);
  sigaddset(&chld, SIGCHLD);
  pthread_sigmask(SIG_UNBLOCK, &chld, nullptr);
  while (!stop.load(std::memory_order_relaxed)) {
    const int status_wanted = static_cast<int>(forks.load() % 100);
    const int count_before = chld_count;
    const pid_t child = fork();
    VICTIM_CHECK(child >= 0);
    if (child == 0) _exit(status_wanted);
    int status = 0;
    pid_t got;
    // The handler runs with SA_RESTART: the wait never says EINTR.
    got = waitpid(-1, &status, 0);
    VICTIM_CHECK(got == child);
    VICTIM_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == status_wanted);
    const double until = victim::now() + 10;
    while (chld_count == count_before && victim::now() < until) sched_yield();
    VICTIM_CHECK(chld_count == count_before + 1);
    VICTIM_CHECK(chld_pid == child);
    errno = 0;
    VICTIM_CHECK(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD);
    forks.fetch_add(1);
  }
  return nullptr;
}

int main() {
  struct sigaction action = {};
  action.sa_sigaction = on_chld;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGCHLD, &action, nullptr);
  sigset_t chld;
  sigemptyset(&chld);
  sigaddset(&chld, SIGCHLD);
  pthread_sigmask(SIG_BLOCK, &chld, nullptr);
  pthread_t thread;
  VICTIM_CHECK(pthread_create(&thread, nullptr, fork_and_wait, nullptr) == 0);
  while (forks.load() < 2) sched_yield();
  victim::ready();
  victim::serve([](const std::string&) { victim::say("{\"forks\":%lu}", forks.load()); });
  stop.store(true);
  pthread_join(thread, nullptr);
  VICTIM_CHECK(static_cast<unsigned long>(chld_count) == forks.load());
  victim::finish_ok();
}
