// SPDX-License-Identifier: Apache-2.0
//
// N neighbouring mappings of one stamped page each: every other page is made read-only, so that
// none can be merged. More than 65 534 of them do not fit in the e_phnum of an ELF header.

#include <tests/vm/victims/victim.h>

int main(int argc, char** argv) {
  size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 70000;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char* memory =
      mmap(NULL, count * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) die("mmap");
  madvise(memory, count * page, MADV_NOHUGEPAGE);
  stamp(memory, count * page, 0);
  for (size_t i = 0; i < count; i += 2) {
    if (mprotect(memory + i * page, page, PROT_READ) != 0) die("mprotect");
  }
  ready(memory, count * page);
  serve(memory, count * page);
  return 0;
}
