/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts for ever in memory; the value can be watched from outside. Three calls deep, for the unwinder. */
#include "ntx.h"

volatile u64 counter;

__attribute__((noinline)) static u64 mix(u64 value) {
  value ^= value >> 30;
  value *= 0xbf58476d1ce4e5b9ull;
  value ^= value >> 27;
  return value * 0x94d049bb133111ebull;
}

__attribute__((noinline)) static void count(u64 turns) {
  u64 seed = 1;
  for (u64 i = 0; i < turns; ++i) {
    seed = mix(seed + i % 7);
    counter = counter + 1 + (seed >> 63);
  }
}

ntstatus entry(struct peb* peb) {
  (void)peb;
  for (;;) {
    count(1000);
    __builtin_ia32_pause();
  }
}
