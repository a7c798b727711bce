// SPDX-License-Identifier: Apache-2.0
//
// A reservation of 16 TB, like a sanitizer's shadow, with a few touched islands. big_sparse
// [TERABYTES]
#include <stdint.h>
#include <sys/mman.h>

#include <tests/targets/victim.h>

int main(int argc, char** argv) {
  const size_t size = static_cast<size_t>(victim::argument(argc, argv, 1, 16)) << 40;
  auto* base = static_cast<char*>(mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  VICTIM_CHECK(base != MAP_FAILED);
  madvise(base, size, MADV_NOHUGEPAGE);
  const int islands = 32;
  auto island = [&](int i) {
    return reinterpret_cast<volatile uint64_t*>(base + size / islands * static_cast<size_t>(i) +
                                                8192);
  };
  for (int i = 0; i < islands; ++i) *island(i) = victim::mix(static_cast<unsigned long>(i));
  victim::say("base=%p", static_cast<void*>(base));
  victim::say("size=%zu", size);
  victim::say("islands=%d", islands);
  victim::ready();
  victim::serve();
  for (int i = 0; i < islands; ++i)
    VICTIM_CHECK(*island(i) == victim::mix(static_cast<unsigned long>(i)));
  victim::finish_ok();
}
