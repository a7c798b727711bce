// SPDX-License-Identifier: Apache-2.0
//
// The mappings that a minidump tells of: from /proc/PID/maps where it has that, else from its
// MemoryInfoList, else the pages of which it holds bytes.
#ifndef DOPPEL_DUMPWRITER_READ_MINIDUMP_REGIONS_H_
#define DOPPEL_DUMPWRITER_READ_MINIDUMP_REGIONS_H_

#include <vector>

#include <dumpwriter/read/minidump_file.h>
#include <snapshot/model/module.h>
#include <snapshot/model/region.h>

namespace doppel {

/// By address and disjoint: of two that overlap, the first. `modules` (by address) name the regions
/// of an NT process (`windows`).
std::vector<Region> read_minidump_regions(MinidumpFile& file, const std::vector<Module>& modules,
                                          bool windows);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_READ_MINIDUMP_REGIONS_H_
