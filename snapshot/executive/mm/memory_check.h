// SPDX-License-Identifier: Apache-2.0
//
// The invariants of memory (executive.md 14): I1 references of pages, I2 commit, I5 VADs and
// entries. Always on in debug builds, after every step; the caller says which spaces there are.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_MM_MEMORY_CHECK_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_MM_MEMORY_CHECK_H_

#include <span>
#include <string>

#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/mm/section.h>

namespace doppel {

/// Empty when all holds; else one sentence on the first thing that does not. `spaces` are all
/// address spaces over `memory`, `sections` made all its segments.
std::string check_memory(const PhysicalMemory& memory, const SectionFactory& sections,
                         std::span<const AddressSpace* const> spaces);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_MM_MEMORY_CHECK_H_
