// SPDX-License-Identifier: Apache-2.0
//
// Does nothing: a few threads asleep in different calls, a heap and globals with known contents.
// The plainest victim, for tests that want no noise. quiet [KIB-OF-HEAP [THREADS]]
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>

#include <tests/targets/victim.h>

extern "C" {
volatile unsigned long quiet_data[1024] = {1};
volatile unsigned long quiet_bss[4096];
const char quiet_text[] = "doppel quiet read-only text";
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

static void* sleeper(void* index) {
  char name[16];
  snprintf(name, sizeof name, "quiet-%ld", reinterpret_cast<long>(index));
  prctl(PR_SET_NAME, name);
  pthread_mutex_lock(&mutex);
  victim::begun.fetch_add(1);
  for (;;) pthread_cond_wait(&never, &mutex);
  return nullptr;
}

int main(int argc, char** argv) {
  const size_t size = static_cast<size_t>(victim::argument(argc, argv, 1, 64)) << 10;
  const long threads = victim::argument(argc, argv, 2, 2);
  auto* heap = static_cast<unsigned long*>(
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  VICTIM_CHECK(heap != MAP_FAILED);
  const size_t words = size / sizeof *heap;
  for (size_t i = 0; i < words; ++i) heap[i] = victim::mix(i);
  for (size_t i = 0; i < 1024; ++i) quiet_data[i] = victim::mix(i + 1);
  quiet_bss[4095] = 0x5eed;
  for (long i = 0; i < threads; ++i) {
    pthread_t thread;
    VICTIM_CHECK(pthread_create(&thread, nullptr, sleeper, reinterpret_cast<void*>(i)) == 0);
  }
  victim::await_begun(threads);
  victim::say("heap=%p", static_cast<void*>(heap));
  victim::say("heap_size=%zu", size);
  victim::say("data=%p", const_cast<unsigned long*>(quiet_data));
  victim::say("text=%p", static_cast<const void*>(quiet_text));
  victim::say("rseq=%p",
              static_cast<void*>(static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset));
  victim::ready();
  victim::serve();
  for (size_t i = 0; i < words; ++i) VICTIM_CHECK(heap[i] == victim::mix(i));
  for (size_t i = 0; i < 1024; ++i) VICTIM_CHECK(quiet_data[i] == victim::mix(i + 1));
  VICTIM_CHECK(quiet_bss[4095] == 0x5eed);
  victim::finish_ok();
}
