// SPDX-License-Identifier: Apache-2.0
//
// Shared memory of which two pages are in use, the first and the last: reading the rest would fill
// it. sparse_shared [MIB]; "report" says how many blocks the memory takes.
#include <sys/mman.h>
#include <sys/stat.h>

#include <tests/targets/victim.h>

int main(int argc, char** argv) {
  const size_t size = static_cast<size_t>(victim::argument(argc, argv, 1, 64)) << 20;
  const int file = memfd_create("sparse", MFD_CLOEXEC);
  VICTIM_CHECK(file >= 0 && ftruncate(file, static_cast<off_t>(size)) == 0);
  auto* words =
      static_cast<unsigned long*>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
  VICTIM_CHECK(words != MAP_FAILED);
  const size_t last = size / sizeof *words - 1;
  words[0] = victim::mix(1);
  words[last] = victim::mix(2);
  struct stat before;
  VICTIM_CHECK(fstat(file, &before) == 0);
  victim::say("begin=%p", static_cast<void*>(words));
  victim::say("last=%p", static_cast<void*>(words + last));
  victim::say("size=%zu", size);
  victim::ready();
  victim::serve();
  struct stat after;
  VICTIM_CHECK(fstat(file, &after) == 0);
  VICTIM_CHECK(before.st_blocks == after.st_blocks);
  VICTIM_CHECK(words[0] == victim::mix(1) && words[last] == victim::mix(2));
  victim::finish_ok();
}
