// SPDX-License-Identifier: Apache-2.0
//
// N MiB of stamped private memory that the kernel is asked to page out (MADV_PAGEOUT, since
// Linux 5.4). The case looks at VmSwap to know that it did.

#include <tests/vm/victims/victim.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

int main(int argc, char** argv) {
  size_t size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 64) << 20;
  void* memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) die("mmap");
  madvise(memory, size, MADV_NOHUGEPAGE);
  stamp(memory, size, 0);
  if (madvise(memory, size, MADV_PAGEOUT) != 0) die("MADV_PAGEOUT");
  ready(memory, size);
  serve(memory, size);
  return 0;
}
