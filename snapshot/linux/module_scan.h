// SPDX-License-Identifier: Apache-2.0
//
// Regions and bytes to modules. What is an executable or library is decided by the bytes that are
// mapped, never by the file that has the name now: it may have been replaced, and its path is the
// target's word. The headers are hostile; every offset in them is checked.
//
// It must not open files, and must not know which memory it reads.
#ifndef DOPPEL_SNAPSHOT_LINUX_MODULE_SCAN_H_
#define DOPPEL_SNAPSHOT_LINUX_MODULE_SCAN_H_

#include <vector>

#include <snapshot/model/memory.h>
#include <snapshot/model/module.h>
#include <snapshot/model/region.h>

namespace doppel {

/// The modules among `regions` (sorted, disjoint), by address. A module is a file with at least one
/// executable mapping whose first mapped bytes are an ELF header, or the vdso. Its range runs from
/// the mapping of that header to the end of the file's last mapping within the span that the
/// program headers claim; without a readable header, over the neighbouring mappings of the file.
/// The build id is that of the GNU note in memory, empty where there is none.
///
/// Reads the first page of each candidate and its notes; reads nothing of devices or secret memory.
std::vector<Module> scan_modules(const std::vector<Region>& regions, const Memory& memory);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_MODULE_SCAN_H_
