// SPDX-License-Identifier: Apache-2.0
//
// Very many threads, asleep in different calls, a few awake. many_threads [COUNT [AWAKE]]
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include <atomic>
#include <vector>

#include <tests/targets/victim.h>

static std::atomic<bool> stop{false};
static std::atomic<long> begun{0};
static int wake_pipe[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void* sleeper(void* argument) {
  const long index = reinterpret_cast<long>(argument);
  char name[16];
  snprintf(name, sizeof name, "t%ld", index);
  prctl(PR_SET_NAME, name);
  if (index % 2 == 0) {
    const int epoll = epoll_create1(0);
    if (epoll < 0) victim::fail("epoll_create1: %s", strerror(errno));
    epoll_event event = {.events = EPOLLIN, .data = {}};
    VICTIM_CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, wake_pipe[0], &event) == 0);
    begun.fetch_add(1);  // only now: nothing of it is new to whoever was told "ready"
    if (epoll_wait(epoll, &event, 1, -1) != 1)
      victim::fail("epoll_wait in %d: %s", victim::tid(), strerror(errno));
    close(epoll);
  } else {
    begun.fetch_add(1);
    pthread_mutex_lock(&mutex);
    while (!stop.load()) pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
  }
  return nullptr;
}

static void* awake(void*) {
  begun.fetch_add(1);
  while (!stop.load(std::memory_order_relaxed)) {
  }
  return nullptr;
}

int main(int argc, char** argv) {
  const long count = victim::argument(argc, argv, 1, 1500);
  const long spinning = victim::argument(argc, argv, 2, 1);
  VICTIM_CHECK(pipe(wake_pipe) == 0);
  std::vector<pthread_t> threads(static_cast<size_t>(count));
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 << 10);
  for (long i = 0; i < count; ++i)
    VICTIM_CHECK(pthread_create(&threads[static_cast<size_t>(i)], &small,
                                i < spinning ? awake : sleeper, reinterpret_cast<void*>(i)) == 0);
  while (begun.load() < count) sched_yield();
  victim::ready();
  victim::serve();
  stop.store(true);
  pthread_mutex_lock(&mutex);
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
  VICTIM_CHECK(write(wake_pipe[1], "x", 1) == 1);
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
  victim::finish_ok();
}
