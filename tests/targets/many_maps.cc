// SPDX-License-Identifier: Apache-2.0
//
// Very many mappings: neighbouring pages of different protection. Every tenth one is touched.
// many_maps [COUNT]
#include <stdint.h>
#include <sys/mman.h>

#include <tests/targets/victim.h>

int main(int argc, char** argv) {
  const long count = victim::argument(argc, argv, 1, 60000);
  const size_t size = static_cast<size_t>(count) * 4096;
  auto* base =
      static_cast<char*>(mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  VICTIM_CHECK(base != MAP_FAILED);
  for (long i = 0; i < count; i += 2)
    VICTIM_CHECK(mprotect(base + i * 4096, 4096, PROT_READ | PROT_WRITE) == 0);
  for (long i = 0; i < count; i += 10)
    *reinterpret_cast<uint64_t*>(base + i * 4096) = victim::mix(static_cast<unsigned long>(i));
  victim::say("base=%p", static_cast<void*>(base));
  victim::say("count=%ld", count);
  victim::ready();
  victim::serve();
  for (long i = 0; i < count; i += 10)
    VICTIM_CHECK(*reinterpret_cast<uint64_t*>(base + i * 4096) ==
                 victim::mix(static_cast<unsigned long>(i)));
  victim::finish_ok();
}
