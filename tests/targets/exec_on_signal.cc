// SPDX-License-Identifier: Apache-2.0
//
// Three threads, of which the last executes the program again on SIGUSR1. The new program says
// "again" and waits to be told to end.
// exec_on_signal [again]
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#include <tests/targets/victim.h>

static void again(int) {
  execl("/proc/self/exe", "exec_on_signal", "again", nullptr);
  victim::fail("exec: %s", strerror(errno));
}

static void* idle(void* takes_signal) {
  if (takes_signal != nullptr) {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &mask, nullptr);
  }
  ++victim::begun;
  for (;;) pause();
  return nullptr;
}

int main(int argc, char**) {
  prctl(PR_SET_NAME, "exec_on_signal");  // not "exe"
  if (argc > 1) {
    victim::say("again");
    char c;
    VICTIM_CHECK(read(0, &c, 1) == 0);
    victim::finish_ok();
  }
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &mask, nullptr);
  signal(SIGUSR1, again);
  pthread_t thread;
  VICTIM_CHECK(pthread_create(&thread, nullptr, idle, nullptr) == 0);
  VICTIM_CHECK(pthread_create(&thread, nullptr, idle, &mask) == 0);
  victim::await_begun(2);
  victim::ready();
  char c;
  VICTIM_CHECK(read(0, &c, 1) == 0);
  victim::finish_ok();
}
