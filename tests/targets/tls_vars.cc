// SPDX-License-Identifier: Apache-2.0
//
// Threads with names, thread-local variables, known stacks and known vector registers, for
// debuggers to compare. Every thread ends in tls_stop(), in a futex that nobody wakes. tls_vars
// [THREADS]
#include <pthread.h>
#include <sys/prctl.h>

#include <atomic>

#include <tests/targets/victim.h>

extern "C" {
thread_local long tls_number = 7;
thread_local double tls_real = 0.5;
thread_local char tls_text[32] = "main thread";
int tls_common_futex = 0;
}

static std::atomic<long> arrived{0};

extern "C" [[gnu::noinline]] void tls_stop(long index, double real) {
  // Values in registers that only a full register set shows.
  double vector[4] = {real, real * 2, real * 3, real * 4};
  arrived.fetch_add(1);
  asm volatile(
      "movupd (%0), %%xmm7\n\t"
      "movupd 16(%0), %%xmm11\n\t"
      "movq %1, %%r15\n\t"
      "1:\n\t"
      "movl $202, %%eax\n\t"  // futex(&tls_common_futex, FUTEX_WAIT, 0, NULL)
      "leaq tls_common_futex(%%rip), %%rdi\n\t"
      "xorl %%esi, %%esi\n\t"
      "xorl %%edx, %%edx\n\t"
      "xorl %%r10d, %%r10d\n\t"
      "syscall\n\t"
      "jmp 1b\n\t"
      :
      : "r"(vector), "r"(index)
      : "rax", "rcx", "rdi", "rsi", "rdx", "r10", "r11", "r15", "xmm7", "xmm11", "memory");
}

extern "C" [[gnu::noinline]] void tls_middle(long index, double real) {
  volatile long keep = index * 1000;
  tls_stop(index, real);
  keep = keep + 1;
}

static void* run(void* argument) {
  const long index = reinterpret_cast<long>(argument);
  char name[16];
  snprintf(name, sizeof name, "tls-%ld", index);
  prctl(PR_SET_NAME, name);
  tls_number = 1000 + index;
  tls_real = static_cast<double>(index) + 0.25;
  snprintf(tls_text, sizeof tls_text, "thread number %ld", index);
  tls_middle(index, tls_real);
  return nullptr;
}

int main(int argc, char** argv) {
  const long threads = victim::argument(argc, argv, 1, 4);
  for (long i = 0; i < threads; ++i) {
    pthread_t thread;
    VICTIM_CHECK(pthread_create(&thread, nullptr, run, reinterpret_cast<void*>(i + 1)) == 0);
  }
  while (arrived.load() < threads) sched_yield();
  victim::say("threads=%ld", threads + 1);
  victim::ready();
  victim::serve();
  VICTIM_CHECK(tls_number == 7 && tls_real == 0.5 && strcmp(tls_text, "main thread") == 0);
  victim::finish_ok();
}
