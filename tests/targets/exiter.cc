// SPDX-License-Identifier: Apache-2.0
//
// Ends after a few hundred microseconds, in the way it is told, so that a capture races with the
// end. exiter MICROSECONDS exit|signal|leader   - leader: the first thread ends alone, the others
// later
#include <pthread.h>
#include <signal.h>

#include <tests/targets/victim.h>

static long delay_us;

static void spin(long us) {
  const double until = victim::now() + static_cast<double>(us) / 1e6;
  while (victim::now() < until) {
  }
}

static void* late(void*) {
  spin(delay_us);
  _exit(43);
  return nullptr;
}

static void* idle(void*) {
  for (;;) pause();
  return nullptr;
}

int main(int argc, char** argv) {
  delay_us = victim::argument(argc, argv, 1, 500);
  const std::string how = argc > 2 ? argv[2] : "exit";
  pthread_t thread;
  for (int i = 0; i < 3; ++i) VICTIM_CHECK(pthread_create(&thread, nullptr, idle, nullptr) == 0);
  victim::ready();
  if (how == "leader") {
    VICTIM_CHECK(pthread_create(&thread, nullptr, late, nullptr) == 0);
    pthread_exit(nullptr);
  }
  spin(delay_us);
  if (how == "signal") {
    raise(SIGUSR1);
  }
  _exit(42);
}
