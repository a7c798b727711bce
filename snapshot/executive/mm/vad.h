// SPDX-License-Identifier: Apache-2.0
//
// The two records of an address space: a VAD says what a stretch of addresses is, a PTE what one
// page of it is now. Plain data; AddressSpace keeps them true.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_MM_VAD_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_MM_VAD_H_

#include <cstdint>

#include <snapshot/executive/mm/physical_memory.h>
#include <snapshot/executive/mm/section.h>

namespace doppel {

enum class VadKind : std::uint8_t { private_memory, data, pagefile, image };

/// SECTION_INHERIT: what a clone gets of a view.
enum class ViewInherit : std::uint8_t { share = 1, unmap = 2 };

/// Keyed by its first page; its allocation base is that page's address.
struct Vad {
  std::uint64_t first = 0, last = 0;  ///< page numbers, `last` exclusive
  VadKind kind = VadKind::private_memory;
  ViewInherit inherit = ViewInherit::share;
  bool writable_view = false;       ///< counted in SectionUse::writable_views
  std::uint32_t protect = 0;        ///< PAGE_ value of its birth, PAGE_GUARD included
  ObjectRef<Section> section = {};  ///< of a view
  std::uint64_t section_page = 0;   ///< page of the section that `first` shows
  std::uint64_t view_end = 0;       ///< offset in the section of the first byte not asked for
  std::uint64_t relocation = 0;     ///< of an image: its base minus the preferred one
  std::uint64_t charge = 0;         ///< pages of commit
};

/// One page that is committed in private memory, or of a view that was touched or protected.
struct Pte {
  Frame frame = kNoFrame;     ///< holds one reference; kNoFrame: never touched
  std::uint32_t protect = 0;  ///< PAGE_ value without PAGE_GUARD
  bool guard = false;
  /// The page is (or, untouched, will be) the segment's. False: anonymous, and with more than one
  /// reference on its frame copy-on-write; there is no other mark of that state.
  bool shared = false;
  bool charged = false;  ///< of a view: charged by a change of protection, not by its mapping
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_MM_VAD_H_
