// SPDX-License-Identifier: Apache-2.0
//
// Which pages of a mapped ELF file a dump keeps although the file itself can be read later: the
// page with its header (it tells that this is ELF, and where), its notes (the build id, which tells
// whether a file found later is the same one), and its dynamic section (the way from the executable
// to the list of loaded libraries).
//
// It trusts nothing it reads: the target may have mapped anything under an ELF magic.
#ifndef DOPPEL_DUMPWRITER_PLAN_ELF_LANDMARKS_H_
#define DOPPEL_DUMPWRITER_PLAN_ELF_LANDMARKS_H_

#include <vector>

#include <snapshot/model/memory.h>
#include <snapshot/model/region.h>

namespace doppel {

/// Page-aligned ranges, sorted and disjoint, possibly outside `region` (the caller keeps what lies
/// in file mappings). Empty unless `region` is readable, maps the start of a file, and either is
/// executable or holds the ELF magic (the kernel's rule for bit 4 of coredump_filter).
std::vector<AddressRange> elf_landmarks(const Region& region, const Memory& memory);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_PLAN_ELF_LANDMARKS_H_
