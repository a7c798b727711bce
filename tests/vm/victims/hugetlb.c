// SPDX-License-Identifier: Apache-2.0
//
// N private huge pages of 2 MiB, stamped. With the pool exactly as large as N, a write of the owner
// while a clone holds the pages makes the kernel unmap them from the clone (hugetlb_wp,
// unmap_ref_private): the dump must notice.

#include <tests/vm/victims/victim.h>

int main(int argc, char** argv) {
  size_t size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 4) << 21;
  void* memory = stamped_memory(size, MAP_HUGETLB);
  ready(memory, size);
  serve(memory, size);
  return 0;
}
