// SPDX-License-Identifier: Apache-2.0
//
// Proves that a snapshot is one instant. A writer stamps generation g on page 0, then page 1, ...
// then starts over with g + 1. x86-64 makes stores visible in program order, so at any one instant
// the stamps fall from g + 1 to g at one place at most: stamp[i] >= stamp[i + 1] and stamp[0] <=
// stamp[last] + 1. The pages alternate between four kinds of private memory, so that copying one
// mapping after another shows. Two writers keep two independent sequences. generations [PAGES]
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#include <atomic>
#include <vector>

#include <tests/targets/victim.h>

static std::atomic<bool> stop{false};

struct Sequence {
  std::vector<volatile uint64_t*> stamps;
  uint64_t generation = 0;
};

static Sequence sequences[2];

static void* writer(void* argument) {
  auto& sequence = *static_cast<Sequence*>(argument);
  while (!stop.load(std::memory_order_relaxed)) {
    ++sequence.generation;
    for (volatile uint64_t* stamp : sequence.stamps) *stamp = sequence.generation;
  }
  return nullptr;
}

alignas(4096) static char bss[4096 * 4096];

int main(int argc, char** argv) {
  const size_t pages = static_cast<size_t>(victim::argument(argc, argv, 1, 512));
  const size_t each = (pages + 3) / 4;
  VICTIM_CHECK(each * 4096 <= sizeof bss);
  const int writable = PROT_READ | PROT_WRITE;
  auto* anonymous =
      static_cast<char*>(mmap(nullptr, each * 4096, writable, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  VICTIM_CHECK(anonymous != MAP_FAILED);
  FILE* backing = tmpfile();
  VICTIM_CHECK(backing != nullptr &&
               ftruncate(fileno(backing), static_cast<off_t>(each * 4096)) == 0);
  auto* file =
      static_cast<char*>(mmap(nullptr, each * 4096, writable, MAP_PRIVATE, fileno(backing), 0));
  VICTIM_CHECK(file != MAP_FAILED);
  auto* heap = static_cast<char*>(aligned_alloc(4096, each * 4096));
  VICTIM_CHECK(heap != nullptr);
  char* const bases[4] = {anonymous, bss, file, heap};
  for (size_t i = 0; i < each * 4; ++i) {
    char* page = bases[i % 4] + i / 4 * 4096;
    sequences[0].stamps.push_back(reinterpret_cast<volatile uint64_t*>(page));
    sequences[1].stamps.push_back(reinterpret_cast<volatile uint64_t*>(page + 2048));
  }
  pthread_t threads[2];
  for (int i = 0; i < 2; ++i)
    VICTIM_CHECK(pthread_create(&threads[i], nullptr, writer, &sequences[i]) == 0);
  victim::say("pages=%zu", each * 4);
  for (int i = 0; i < 4; ++i) victim::say("base%d=%p", i, static_cast<void*>(bases[i]));
  victim::ready();
  victim::serve();
  stop.store(true);
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
  for (const Sequence& sequence : sequences)
    for (volatile uint64_t* stamp : sequence.stamps) VICTIM_CHECK(*stamp == sequence.generation);
  victim::finish_ok();
}
