// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <dumpwriter/elf/core_format.h>
#include <dumpwriter/elf/core_headers.h>
#include <dumpwriter/elf/notes.h>
#include <dumpwriter/plan/layout.h>
#include <dumpwriter/plan/page.h>
#include <dumpwriter/plan/selection_check.h>
#include <snapshot/model/image_check.h>

namespace doppel {

namespace {

/// Indices of the segments in the order in which they are poured.
std::vector<std::size_t> pour_order(const std::vector<Segment>& segments) {
  std::vector<std::size_t> order(segments.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return segments[a].priority < segments[b].priority;
  });
  return order;
}

}  // namespace

Result<DumpPlan> ElfCoreFormat::plan(const ProcessImage& image, const Selection& selection) const {
  DOPPEL_TRY(check_image(image));
  DOPPEL_TRY(check_selection(image, selection));
  const std::vector<Segment>& segments = selection.segments;

  Layout layout;
  const Layout::Reserved headers = layout.reserve(core_headers_size(segments.size()));
  std::vector<std::byte> notes = DOPPEL_TRY(make_notes(image, selection));
  const std::uint64_t note_size = notes.size();
  const std::uint64_t note_offset = layout.append(std::move(notes));
  const std::uint64_t first_page = layout.align(kPageSize);

  std::vector<LoadHeader> loads(segments.size());
  for (const std::size_t index : pour_order(segments)) {
    const Segment& segment = segments[index];
    LoadHeader& load = loads[index];
    load.range = segment.range;
    load.access = image.regions[segment.region].access;
    if (segment.content != Content::bytes) continue;
    load.offset = layout.offset();
    load.file_size = segment.range.size;
    for (const Extent& piece : segment.pieces) {
      if (piece.kind == Extent::Kind::data) {
        layout.append_memory(piece.range);
      } else {
        layout.append_zeros(piece.range.size);
      }
    }
  }
  // Where those without bytes would continue the one before, in the order of addresses: elfutils reads
  // a module's segments as one run of the file and finds no module otherwise, and an offset past the
  // end is refused by some.
  std::uint64_t next = first_page;
  for (LoadHeader& load : loads) {
    if (load.file_size == 0) load.offset = next;
    next = load.offset + load.file_size;
  }
  layout.fill(headers, make_core_headers(note_offset, note_size, loads));
  return std::move(layout).seal();
}

}  // namespace doppel
