// SPDX-License-Identifier: Apache-2.0
//
// Per-CPU counters without atomics, kept exact by restartable sequences alone: a thread that is put
// back into the middle of its critical section on another CPU loses a count. rseq_spinner [THREADS]
// The kernel's contract: Documentation of rseq(2) and include/uapi/linux/rseq.h.
#include <linux/rseq.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/rseq.h>

#include <atomic>
#include <vector>

#include <tests/targets/victim.h>

struct alignas(64) Counter {
  int64_t value;
};

static Counter counters[1024];
static std::atomic<bool> stop{false};
static std::atomic<int64_t> total{0};
static std::atomic<long> started{0};

static struct rseq* own_rseq() {
  return reinterpret_cast<struct rseq*>(static_cast<char*>(__builtin_thread_pointer()) +
                                        __rseq_offset);
}

// counters[cpu].value++; false when the sequence was aborted. The store is long in coming on
// purpose.
static bool increment(struct rseq* area, uint32_t cpu) {
  int64_t* slot = &counters[cpu].value;
  asm goto(
      ".pushsection __rseq_cs, \"aw\"\n\t"
      ".balign 32\n\t"
      "3:\n\t"
      ".long 0x0, 0x0\n\t"
      ".quad 1f, 2f-1f, 4f\n\t"
      ".popsection\n\t"
      "leaq 3b(%%rip), %%rax\n\t"
      "movq %%rax, 8(%[area])\n\t"
      "1:\n\t"
      "cmpl %[cpu], 4(%[area])\n\t"
      "jnz 4f\n\t"
      "movq (%[slot]), %%rcx\n\t"
      "movl $40, %%eax\n\t"
      "5:\n\t"
      "pause\n\t"
      "decl %%eax\n\t"
      "jnz 5b\n\t"
      "addq $1, %%rcx\n\t"
      "movq %%rcx, (%[slot])\n\t"
      "2:\n\t"
      ".pushsection __rseq_failure, \"ax\"\n\t"
      ".byte 0x0f, 0xb9, 0x3d\n\t"
      ".long 0x53053053\n\t"
      "4:\n\t"
      "jmp %l[aborted]\n\t"
      ".popsection\n\t"
      :
      : [area] "r"(area), [cpu] "r"(cpu), [slot] "r"(slot)
      : "memory", "cc", "rax", "rcx"
      : aborted);
  return true;
aborted:
  return false;
}

static void* spin(void*) {
  struct rseq* area = own_rseq();
  int64_t done = 0;
  started.fetch_add(1);
  while (!stop.load(std::memory_order_relaxed)) {
    const uint32_t cpu = reinterpret_cast<volatile struct rseq*>(area)->cpu_id_start;
    if (increment(area, cpu)) ++done;
  }
  total.fetch_add(done);
  return nullptr;
}

int main(int argc, char** argv) {
  if (__rseq_size == 0) {
    victim::say("skip=the C library did not register rseq");
    return 77;
  }
  std::vector<pthread_t> threads(static_cast<size_t>(victim::argument(argc, argv, 1, 6)));
  for (pthread_t& thread : threads)
    VICTIM_CHECK(pthread_create(&thread, nullptr, spin, nullptr) == 0);
  while (started.load() < static_cast<long>(threads.size())) sched_yield();
  victim::say("main_rseq=%p", static_cast<void*>(own_rseq()));
  victim::say("rseq_offset=%ld", static_cast<long>(__rseq_offset));
  victim::ready();
  victim::serve();
  stop.store(true);
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
  int64_t sum = 0;
  for (const Counter& counter : counters) sum += counter.value;
  if (sum != total.load())
    victim::fail("per-CPU counters say %ld, the threads %ld", sum, total.load());
  victim::say("{\"increments\":%ld}", sum);
  victim::finish_ok();
}
