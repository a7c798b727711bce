// SPDX-License-Identifier: Apache-2.0
//
// Threads that are inside signal handlers: one on its own stack, one on an alternate stack, one
// nested, one that waits in its handler in a restartable call. After the handlers return, the
// interrupted computation and the interrupted call must have their results.
#include <pthread.h>
#include <signal.h>

#include <atomic>

#include <tests/targets/victim.h>

static std::atomic<bool> leave{false};
static std::atomic<int> inside{0};
static std::atomic<int> nap_results{0};

static void in_handler_spin(int) {
  inside.fetch_add(1);
  while (!leave.load(std::memory_order_relaxed)) {
  }
}

static void in_handler_nested(int) {
  pthread_kill(pthread_self(), SIGUSR1);
}

static void in_handler_sleep(int) {
  inside.fetch_add(1);
  while (!leave.load()) {
    const timespec nap = {0, 5000000};
    if (clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, nullptr) != 0)
      victim::fail("a nap inside a handler was cut");
  }
}

static std::atomic<bool> go{false};

static void* spinner(void* signal) {
  const long number = reinterpret_cast<long>(signal);
  static thread_local char alternate[64 << 10];
  const stack_t stack = {.ss_sp = alternate, .ss_flags = 0, .ss_size = sizeof alternate};
  if (number == SIGUSR2) VICTIM_CHECK(sigaltstack(&stack, nullptr) == 0);
  unsigned long a = 1, b = 1;
  double x = 0.3, y = 0.3;
  bool sent = false;
  for (long i = 0; i < 4000000; ++i) {
    a = a * 6364136223846793005ul + 1;
    x = 3.7 * x * (1 - x);
    asm volatile("" : "+r"(a), "+r"(b), "+x"(x), "+x"(y));
    b = b * 6364136223846793005ul + 1;
    y = 3.7 * y * (1 - y);
    if (i == 1000 && !sent) {
      sent = true;
      pthread_kill(pthread_self(), static_cast<int>(number));
    }
  }
  if (a != b || x != y) victim::fail("the interrupted computation went wrong");
  return nullptr;
}

static pthread_t waiter_thread;

static void* waiter(void*) {
  int fds[2];
  VICTIM_CHECK(pipe(fds) == 0);
  char c;
  // SA_RESTART: the read goes on after the handler and gets what is written then.
  pthread_t writer;
  pthread_create(
      &writer, nullptr,
      [](void* end) -> void* {
        victim::begun.fetch_add(1);
        while (!leave.load()) {
          const timespec nap = {0, 5000000};
          nanosleep(&nap, nullptr);
        }
        VICTIM_CHECK(write(static_cast<int>(reinterpret_cast<long>(end)), "r", 1) == 1);
        return nullptr;
      },
      reinterpret_cast<void*>(static_cast<long>(fds[1])));
  inside.fetch_add(1);
  if (read(fds[0], &c, 1) != 1 || c != 'r')
    victim::fail("the interrupted read: %s", strerror(errno));
  pthread_join(writer, nullptr);
  return nullptr;
}

int main() {
  auto handle = [](int signal, void (*handler)(int), int flags) {
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = flags | SA_RESTART;
    VICTIM_CHECK(sigaction(signal, &action, nullptr) == 0);
  };
  handle(SIGUSR1, in_handler_spin, 0);
  handle(SIGUSR2, in_handler_spin, SA_ONSTACK);
  handle(SIGTRAP, in_handler_nested, 0);
  handle(SIGHUP, in_handler_sleep, 0);
  pthread_t threads[4];
  const long signals[] = {SIGUSR1, SIGUSR2, SIGTRAP};
  for (int i = 0; i < 3; ++i)
    VICTIM_CHECK(
        pthread_create(&threads[i], nullptr, spinner, reinterpret_cast<void*>(signals[i])) == 0);
  VICTIM_CHECK(pthread_create(&waiter_thread, nullptr, waiter, nullptr) == 0);
  while (inside.load() < 4) sched_yield();
  VICTIM_CHECK(pthread_kill(waiter_thread, SIGHUP) == 0);
  while (inside.load() < 5) sched_yield();
  victim::await_begun(1);
  victim::ready();
  victim::serve();
  leave.store(true);
  for (int i = 0; i < 3; ++i) pthread_join(threads[i], nullptr);
  pthread_join(waiter_thread, nullptr);
  victim::finish_ok();
}
