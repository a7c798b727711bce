// SPDX-License-Identifier: Apache-2.0
//
// Threads are created and end all the time: joined ones that hand back a value, detached ones that
// count themselves. thread_churn [CREATORS]
#include <pthread.h>

#include <atomic>
#include <vector>

#include <tests/targets/victim.h>

static std::atomic<bool> stop{false};
static std::atomic<unsigned long> detached_begun{0}, detached_ended{0}, joined{0};

static void* worker(void* value) {
  sched_yield();
  return reinterpret_cast<void*>(victim::mix(reinterpret_cast<unsigned long>(value)));
}

static void* detached(void*) {
  detached_ended.fetch_add(1);
  return nullptr;
}

static void* creator(void* seed) {
  unsigned long value = reinterpret_cast<unsigned long>(seed);
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 << 10);
  while (!stop.load(std::memory_order_relaxed)) {
    pthread_t batch[4];
    for (int i = 0; i < 4; ++i)
      if (int error =
              pthread_create(&batch[i], &small, worker,
                             reinterpret_cast<void*>(value + static_cast<unsigned long>(i))))
        victim::fail("pthread_create: %s", strerror(error));
    pthread_t loose;
    if (int error = pthread_create(&loose, &small, detached, nullptr))
      victim::fail("pthread_create: %s", strerror(error));
    pthread_detach(loose);
    detached_begun.fetch_add(1);
    for (int i = 0; i < 4; ++i) {
      void* result;
      VICTIM_CHECK(pthread_join(batch[i], &result) == 0);
      VICTIM_CHECK(reinterpret_cast<unsigned long>(result) ==
                   victim::mix(value + static_cast<unsigned long>(i)));
      joined.fetch_add(1);
    }
    value += 4;
    while (detached_begun.load() - detached_ended.load() > 64) sched_yield();
  }
  return nullptr;
}

int main(int argc, char** argv) {
  const long creators = victim::argument(argc, argv, 1, 2);
  std::vector<pthread_t> threads(static_cast<size_t>(creators));
  for (size_t i = 0; i < threads.size(); ++i)
    VICTIM_CHECK(pthread_create(&threads[i], nullptr, creator, reinterpret_cast<void*>(i << 40)) ==
                 0);
  while (joined.load() < 8) sched_yield();
  victim::ready();
  victim::serve([](const std::string&) { victim::say("{\"joined\":%lu}", joined.load()); });
  stop.store(true);
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
  // Bounded: a detached thread that was lost would never count itself.
  const double until = victim::now() + 10;
  while (detached_begun.load() != detached_ended.load() && victim::now() < until) sched_yield();
  VICTIM_CHECK(detached_begun.load() == detached_ended.load());
  victim::finish_ok();
}
