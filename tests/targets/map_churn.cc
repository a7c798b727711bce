// SPDX-License-Identifier: Apache-2.0
//
// Mappings come, change and go all the time: mmap, mprotect, mremap, madvise, munmap, brk, each
// checked. map_churn [THREADS]
#include <pthread.h>
#include <sys/mman.h>

#include <atomic>
#include <vector>

#include <tests/targets/victim.h>

static std::atomic<bool> stop{false};
static std::atomic<unsigned long> rounds{0};

static void* churn(void* index) {
  const unsigned long seed = reinterpret_cast<unsigned long>(index) << 32;
  const int writable = PROT_READ | PROT_WRITE;
  for (unsigned long round = 0; !stop.load(std::memory_order_relaxed); ++round) {
    const size_t pages = 4 + round % 13;
    auto* p = static_cast<volatile unsigned long*>(
        mmap(nullptr, pages * 4096, writable, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    VICTIM_CHECK(p != MAP_FAILED);
    for (size_t i = 0; i < pages; ++i) {
      VICTIM_CHECK(p[i * 512] == 0);
      p[i * 512] = victim::mix(seed + round + i);
    }
    char* raw = reinterpret_cast<char*>(const_cast<unsigned long*>(p));
    VICTIM_CHECK(mprotect(raw + 4096, 4096, PROT_NONE) == 0);
    VICTIM_CHECK(mprotect(raw + 4096, 4096, PROT_READ) == 0);
    auto* moved = static_cast<char*>(mremap(raw, pages * 4096, pages * 4096, MREMAP_MAYMOVE));
    VICTIM_CHECK(moved == raw);
    for (size_t i = 0; i < pages; ++i) VICTIM_CHECK(p[i * 512] == victim::mix(seed + round + i));
    VICTIM_CHECK(madvise(raw + 2 * 4096, 4096, MADV_DONTNEED) == 0 && p[1024] == 0);
    VICTIM_CHECK(munmap(raw + 3 * 4096, 4096) == 0);
    // Not the hole again: by now it may be the other thread's.
    VICTIM_CHECK(munmap(raw, 3 * 4096) == 0);
    if (pages > 4) VICTIM_CHECK(munmap(raw + 4 * 4096, (pages - 4) * 4096) == 0);
    void* block = malloc(200000 + round % 100000);
    VICTIM_CHECK(block != nullptr);
    memset(block, 0x5a, 4096);
    free(block);
    rounds.fetch_add(1, std::memory_order_relaxed);
  }
  return nullptr;
}

int main(int argc, char** argv) {
  std::vector<pthread_t> threads(static_cast<size_t>(victim::argument(argc, argv, 1, 2)));
  for (size_t i = 0; i < threads.size(); ++i)
    VICTIM_CHECK(pthread_create(&threads[i], nullptr, churn, reinterpret_cast<void*>(i + 1)) == 0);
  while (rounds.load() < 4) sched_yield();
  victim::ready();
  victim::serve([](const std::string&) { victim::say("{\"rounds\":%lu}", rounds.load()); });
  stop.store(true);
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
  victim::finish_ok();
}
