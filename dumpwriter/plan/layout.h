// SPDX-License-Identifier: Apache-2.0
//
// Builds a DumpPlan from front to back. Whoever appends is told the file offset the thing will
// have, so that a header can name it; the header itself is reserved first and filled in last.
// Offsets and order cannot disagree, since nobody but this class counts.
//
// It knows no format.
#ifndef DOPPEL_DUMPWRITER_PLAN_LAYOUT_H_
#define DOPPEL_DUMPWRITER_PLAN_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include <dumpwriter/plan/dump_plan.h>

namespace doppel {

/// Not thread-safe.
class Layout {
 public:
  /// A literal whose size is known and whose bytes are not yet.
  struct Reserved {
    std::size_t piece = 0;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };

  /// Offset that the next thing appended will have, bytes from the start of the file.
  std::uint64_t offset() const { return offset_; }

  /// Sets `size` bytes aside at offset().
  Reserved reserve(std::uint64_t size);
  /// Fills a reserved place; `bytes` has exactly its size (asserted).
  void fill(const Reserved& place, std::vector<std::byte> bytes);

  /// Each returns the offset of what it appended. Nothing of size 0 becomes a piece; neighbours of
  /// one kind are joined where they touch.
  std::uint64_t append(std::vector<std::byte> bytes);
  std::uint64_t append_memory(AddressRange range);
  std::uint64_t append_zeros(std::uint64_t count);
  /// Pads with zeros to a multiple of `alignment` (a power of two); returns the offset after it.
  std::uint64_t align(std::uint64_t alignment);

  /// The plan. Everything reserved must have been filled (asserted).
  DumpPlan seal() &&;

 private:
  DumpPlan plan_;
  std::uint64_t offset_ = 0;
  std::size_t unfilled_ = 0;
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_PLAN_LAYOUT_H_
