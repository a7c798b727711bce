// SPDX-License-Identifier: Apache-2.0
//
// In which order a minidump holds memory, and so where each byte of it will lie. Each byte stands
// in the file once: lists that name the same memory (stacks) point at the same place.
#ifndef DOPPEL_DUMPWRITER_MINIDUMP_MEMORY_LAYOUT_H_
#define DOPPEL_DUMPWRITER_MINIDUMP_MEMORY_LAYOUT_H_

#include <cstdint>
#include <optional>
#include <vector>

#include <dumpwriter/plan/selection.h>

namespace doppel::minidump {

/// A stretch of memory that follows the one before it in the file.
struct Placed {
  AddressRange range;
  std::uint64_t offset = 0;  ///< from the start of all memory in the file
  unsigned priority = 0;     ///< as in Segment
  std::vector<Extent> pieces;
};

class MemoryLayout {
 public:
  /// Of the segments that have bytes. Most important first, by address within an importance; or
  /// all `by_address`. Neighbours in both orders are joined; but of what comes first each segment
  /// stays apart, since some readers refuse large stretches among the stacks.
  MemoryLayout(const Selection& selection, bool by_address);

  /// In file order.
  const std::vector<Placed>& placed() const { return placed_; }

  /// The stretch that holds `address`, or null.
  const Placed* find(Address address) const;

  std::uint64_t size() const { return size_; }

 private:
  std::vector<Placed> placed_;
  std::vector<std::size_t> by_address_;  ///< indices into placed_
  std::uint64_t size_ = 0;
};

}  // namespace doppel::minidump

#endif  // DOPPEL_DUMPWRITER_MINIDUMP_MEMORY_LAYOUT_H_
