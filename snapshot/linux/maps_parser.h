// SPDX-License-Identifier: Apache-2.0
//
// The text of /proc/PID/maps and /proc/PID/smaps as Regions. A pure function: text in, values out.
// The text is hostile: names are chosen by the target, and a file that is read in several pieces
// while the target maps and unmaps may show a stretch twice.
//
// It must not know where the text came from, nor what a capture does with a region.
#ifndef DOPPEL_SNAPSHOT_LINUX_MAPS_PARSER_H_
#define DOPPEL_SNAPSHOT_LINUX_MAPS_PARSER_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include <snapshot/model/region.h>
#include <snapshot/support/result.h>

namespace doppel {

/// What smaps says of a mapping beyond what the model keeps. Bytes.
struct MappingDetail {
  std::uint64_t page_size = 4096;  ///< KernelPageSize: the size of a huge page in hugetlb memory
  std::uint64_t hugetlb = 0;       ///< present hugetlb bytes (the kernel keeps them out of Rss)
  std::uint64_t locked = 0;        ///< mlock
  bool shadow_stack = false;       ///< ss: a user shadow stack (CET)
};

struct Smaps {
  std::vector<Region> regions;         ///< sorted, disjoint
  std::vector<MappingDetail> details;  ///< same length and order as `regions`
};

/// Accepts maps as well as smaps; with maps, traits and page counts stay empty, and a mapping of a
/// device node counts as Backing::device, since nothing says otherwise.
///
/// The result is sorted and disjoint: where a mapping overlaps one before it (the target changed
/// between two reads of the file) only what lies beyond is kept. Errc::malformed, with the number
/// of the line (from 1) as subject, for a line that is none of the kernel's. Format: fs/proc/
/// task_mmu.c show_map_vma(), show_smap(), show_smap_vma_flags().
///
/// Two ambiguities are the kernel's: a name that ends in " (deleted)" is taken as deleted, and
/// "\012" in a name is taken as the newline that the kernel writes so.
///
/// `RegionTraits::dax` is never set: the text does not tell.
Result<Smaps> parse_smaps(std::string_view text);

/// The regions alone.
Result<std::vector<Region>> parse_maps(std::string_view text);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_MAPS_PARSER_H_
