// SPDX-License-Identifier: Apache-2.0
//
// Executes itself again every few milliseconds, with a thread that dies of it each time.
// exec_loop [ROUND] - the round is counted on in the argument.
#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>

#include <tests/targets/victim.h>

static void* idle(void*) {
  for (;;) pause();
  return nullptr;
}

int main(int argc, char** argv) {
  const long round = victim::argument(argc, argv, 1, 0);
  const long wait_ms = victim::argument(argc, argv, 2, 3);
  pthread_t thread;
  VICTIM_CHECK(pthread_create(&thread, nullptr, idle, nullptr) == 0);
  if (round == 3) victim::ready();
  VICTIM_CHECK(waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD);
  pollfd input = {0, POLLIN, 0};
  const int events = poll(&input, 1, static_cast<int>(wait_ms));
  VICTIM_CHECK(events >= 0);
  if (events > 0) {
    char c;
    const ssize_t got = read(0, &c, 1);
    VICTIM_CHECK(got >= 0);
    if (got == 0) {
      victim::say("{\"rounds\":%ld}", round);
      victim::finish_ok();
    }
  }
  char next[32];
  snprintf(next, sizeof next, "%ld", round + 1);
  char wait[32];
  snprintf(wait, sizeof wait, "%ld", wait_ms);
  execl("/proc/self/exe", argv[0], next, wait, nullptr);
  victim::fail("exec: %s", strerror(errno));
}
