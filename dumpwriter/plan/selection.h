// SPDX-License-Identifier: Apache-2.0
//
// Which memory goes into a dump, and as what. Decided once, here; formats only lay it out.
#ifndef DOPPEL_DUMPWRITER_PLAN_SELECTION_H_
#define DOPPEL_DUMPWRITER_PLAN_SELECTION_H_

#include <cstdint>
#include <optional>
#include <vector>

#include <snapshot/model/memory.h>
#include <snapshot/model/process_image.h>

namespace doppel {

/// What a format is to show for a stretch of memory.
enum class Content {
  bytes,    ///< its bytes stand in the dump (zeros may stand for pages known to be zero)
  zero,     ///< never touched: zero, and costs no space
  in_file,  ///< unchanged contents of the mapped file: a debugger reads them there
};

/// One stretch of one region. `pieces` divides a `bytes` segment into what is read and what is
/// known zero.
struct Segment {
  AddressRange range;
  Content content = Content::bytes;
  std::size_t region = 0;  ///< index into ProcessImage::regions
  std::vector<Extent>
      pieces;  ///< data and untouched only; covers `range`; empty unless content is bytes
  unsigned priority =
      1;  ///< poured in this order: 0 stacks and what registers point at, 1 first reads, 2 rest
};

struct Selection {
  std::vector<Segment> segments;    ///< by address, disjoint
  std::vector<Omission> omissions;  ///< in addition to the image's own
};

struct SelectionPolicy {
  std::optional<std::uint64_t> filter;  ///< coredump_filter bits; absent: the process's own
  bool omit_shared = false;             ///< --shared omit
  /// The memory is a dump's: take what it holds, whatever the filter says. What it does not hold
  /// was left out by its writer, on purpose or said, and is no new loss.
  bool held = false;
  std::uint64_t zero_run =
      1u << 20;  ///< untouched runs from this size on are `zero` segments; bytes
};

/// Surveys the snapshot's memory and decides. What the image's own omissions name gets no bytes and
/// no second omission. A survey that fails for one region costs that region (an Omission); select()
/// fails, with the first error, only when every survey did.
Result<Selection> select(const ProcessImage& image, const Memory& memory,
                         const SelectionPolicy& policy = {});

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_PLAN_SELECTION_H_
