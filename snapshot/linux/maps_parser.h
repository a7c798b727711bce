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
#include <string>
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

/// Takes the text piece by piece, so that the smaps of a process with a million mappings is never
/// in memory whole. Accepts maps as well as smaps; with maps, traits and page counts stay empty,
/// and a mapping of a device node counts as Backing::device, since nothing says otherwise.
///
/// The result is sorted and disjoint: where a mapping overlaps one before it (the target changed
/// between two reads of the file) only what lies beyond is kept. Format: fs/proc/task_mmu.c
/// show_map_vma(), show_smap(), show_smap_vma_flags().
///
/// Two ambiguities are the kernel's: a name that ends in " (deleted)" is taken as deleted, and
/// "\012" in a name is taken as the newline that the kernel writes so.
///
/// `RegionTraits::dax` is never set: the text does not tell.
class SmapsParser {
 public:
  /// Any cut of the text will do, also within a line. Errc::malformed, with the number of the line
  /// (from 1) as subject, for a line that is none of the kernel's, or longer than any of its can be
  /// (64 KiB).
  Result<> feed(std::string_view piece);

  /// Takes in a last line without a newline, and gives the result. Call it once.
  Result<Smaps> finish();

 private:
  Result<> take_line(std::string_view line);
  void end_mapping();

  Smaps smaps_;
  Region region_;
  MappingDetail detail_;
  bool open_ = false;  ///< region_ is a mapping whose attributes may still follow
  bool flags_known_ = false;
  std::uint64_t floor_ = 0;  ///< end of the last mapping
  std::uint64_t line_number_ = 0;
  std::string carry_;  ///< a line of which the end has not come yet
};

/// The whole text at once.
Result<Smaps> parse_smaps(std::string_view text);

/// The regions alone.
Result<std::vector<Region>> parse_maps(std::string_view text);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_MAPS_PARSER_H_
