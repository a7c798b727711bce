/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a growing generation number across pages, always in the same order. A copy taken at one instant
 * shows numbers that never grow from page to page and differ by one at most; one torn over time does not. */
#include "ntx.h"

enum { kPages = 16 };

__attribute__((aligned(4096))) volatile u64 generations[kPages][512];

__attribute__((noinline)) static void stamp(u64 generation) {
  for (u32 page = 0; page < kPages; ++page) generations[page][0] = generation;
}

ntstatus entry(struct peb* peb) {
  (void)peb;
  for (u64 generation = 1;; ++generation) stamp(generation);
}
