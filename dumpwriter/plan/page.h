// SPDX-License-Identifier: Apache-2.0
//
// Arithmetic on pages and on sets of ranges. x86-64 and the cores it writes know one base page
// size; the larger ones are multiples of it.
#ifndef DOPPEL_DUMPWRITER_PLAN_PAGE_H_
#define DOPPEL_DUMPWRITER_PLAN_PAGE_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include <snapshot/model/address.h>

namespace doppel {

inline constexpr std::uint64_t kPageSize = 4096;

constexpr std::uint64_t page_down(std::uint64_t value) {
  return value & ~(kPageSize - 1);
}

/// Sorts and joins what overlaps or touches. None of the ranges may wrap or be empty.
inline std::vector<AddressRange> sorted_union(std::vector<AddressRange> ranges) {
  std::sort(ranges.begin(), ranges.end());
  std::vector<AddressRange> joined;
  for (const AddressRange& range : ranges) {
    if (!joined.empty()) {
      AddressRange& last = joined.back();
      const std::uint64_t distance = range.begin.value - last.begin.value;
      if (distance <= last.size) {
        last.size = std::max(last.size, distance + range.size);
        continue;
      }
    }
    joined.push_back(range);
  }
  return joined;
}

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_PLAN_PAGE_H_
