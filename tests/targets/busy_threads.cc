// SPDX-License-Identifier: Apache-2.0
//
// Spinning threads that check their own registers, sleeping threads beside them, and a heartbeat
// that remembers the longest time it did not run. busy_threads [SPINNERS [SLEEPERS]]
//
// Each spinner runs the same recurrence in general registers, in SSE and in x87, from two copies: a
// register that was not put back shows as two copies that differ.
#include <pthread.h>

#include <atomic>
#include <vector>

#include <tests/targets/victim.h>

static std::atomic<bool> stop{false};
static std::atomic<unsigned long> max_gap_ns{0};
static std::atomic<unsigned long> rounds{0};

static unsigned long clock_ns() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<unsigned long>(time.tv_sec) * 1000000000ul +
         static_cast<unsigned long>(time.tv_nsec);
}

static void* heartbeat(void*) {
  victim::begun.fetch_add(1);
  unsigned long before = clock_ns();
  while (!stop.load(std::memory_order_relaxed)) {
    const unsigned long at = clock_ns();
    const unsigned long gap = at - before;
    if (gap > max_gap_ns.load(std::memory_order_relaxed)) max_gap_ns.store(gap);
    before = at;
  }
  return nullptr;
}

static void* spinner(void* index) {
  victim::begun.fetch_add(1);
  const unsigned long seed = reinterpret_cast<unsigned long>(index) * 977 + 13;
  while (!stop.load(std::memory_order_relaxed)) {
    unsigned long a = seed, b = seed;
    double x = static_cast<double>(seed % 97) / 97.0, y = x;
    long double u = static_cast<long double>(seed % 89) / 89.0L, v = u;
    for (int i = 0; i < 20000; ++i) {
      a = a * 6364136223846793005ul + 1442695040888963407ul;
      x = 3.7 * x * (1.0 - x);
      u = 3.7L * u * (1.0L - u);
      asm volatile("" : "+r"(a), "+r"(b), "+x"(x), "+x"(y));
      b = b * 6364136223846793005ul + 1442695040888963407ul;
      y = 3.7 * y * (1.0 - y);
      v = 3.7L * v * (1.0L - v);
    }
    if (a != b || x != y || u != v) victim::fail("a register changed in spinner %lu", seed);
    rounds.fetch_add(1, std::memory_order_relaxed);
  }
  return nullptr;
}

static void* sleeper(void*) {
  victim::begun.fetch_add(1);
  while (!stop.load(std::memory_order_relaxed)) {
    const timespec nap = {0, 20000000};
    if (clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, nullptr) != 0) victim::fail("a nap was cut");
  }
  return nullptr;
}

int main(int argc, char** argv) {
  const long spinners = victim::argument(argc, argv, 1, 2);
  const long sleepers = victim::argument(argc, argv, 2, 4);
  std::vector<pthread_t> threads;
  auto add = [&](void* (*run)(void*), long index) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 128 << 10);
    VICTIM_CHECK(pthread_create(&thread, &attributes, run, reinterpret_cast<void*>(index)) == 0);
    threads.push_back(thread);
  };
  add(heartbeat, 0);
  for (long i = 0; i < spinners; ++i) add(spinner, i);
  for (long i = 0; i < sleepers; ++i) add(sleeper, i);
  victim::await_begun(1 + spinners + sleepers);
  while (spinners > 0 && rounds.load() == 0) sched_yield();
  victim::ready();
  victim::serve([](const std::string& command) {
    if (command == "reset") {
      max_gap_ns.store(0);
      victim::say("done");
    }
    if (command == "report")
      victim::say("{\"max_gap_us\":%lu,\"rounds\":%lu}", max_gap_ns.load() / 1000, rounds.load());
  });
  stop.store(true);
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
  victim::finish_ok();
}
