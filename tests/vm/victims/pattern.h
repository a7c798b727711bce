// SPDX-License-Identifier: Apache-2.0
//
// The word a victim writes at an address, for the victims and for core_holds, which looks for it in
// the dump. No word is zero and no two generations agree, so zeros and torn pages are seen.
#ifndef DOPPEL_TESTS_VM_VICTIMS_PATTERN_H_
#define DOPPEL_TESTS_VM_VICTIMS_PATTERN_H_

#include <stdint.h>

static inline uint64_t pattern_word(uint64_t address, uint64_t generation) {
  uint64_t mixed = address * 0x9e3779b97f4a7c15u + (generation + 1) * 0xbf58476d1ce4e5b9u;
  return (mixed ^ (mixed >> 29)) | 1;
}

#endif  // DOPPEL_TESTS_VM_VICTIMS_PATTERN_H_
