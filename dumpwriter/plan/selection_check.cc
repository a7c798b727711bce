// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>

#include <dumpwriter/plan/page.h>
#include <dumpwriter/plan/selection_check.h>

namespace doppel {

namespace {

Result<> check_segment(const Segment& segment) {
  std::uint64_t covered = 0;
  for (const Extent& piece : segment.pieces) {
    const bool in_place = piece.range.begin.value == segment.range.begin.value + covered;
    if (!in_place || piece.kind == Extent::Kind::unreadable) {
      return fail(Errc::malformed, "check segment: pieces",
                  std::to_string(segment.range.begin.value));
    }
    covered += piece.range.size;
  }
  if (covered != (segment.content == Content::bytes ? segment.range.size : 0)) {
    return fail(Errc::malformed, "check segment: cover", std::to_string(segment.range.begin.value));
  }
  return {};
}

}  // namespace

Result<> check_selection(const ProcessImage& image, const Selection& selection) {
  std::uint64_t floor = 0;
  for (const Segment& segment : selection.segments) {
    const std::uint64_t begin = segment.range.begin.value;
    const std::uint64_t size = segment.range.size;
    if (size == 0 || begin % kPageSize != 0 || size % kPageSize != 0 || begin < floor ||
        begin + (size - 1) < begin || segment.region >= image.regions.size()) {
      return fail(Errc::malformed, "check segments", std::to_string(begin));
    }
    floor = begin + (size - 1);
    DOPPEL_TRY(check_segment(segment));
  }
  return {};
}

}  // namespace doppel
