// SPDX-License-Identifier: Apache-2.0
//
// What the executive counts, in one comparable value: a failed call leaves it as it was, and an
// executive whose last handle is closed shows the value of its boot (invariant I7). Each owner
// changes only its own lines: ob the objects, handles and names, io the locks, mm the pages and the
// commit.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_COUNTERS_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_COUNTERS_H_

#include <cstdint>

namespace doppel {

struct Counters {
  std::uint64_t objects = 0;  ///< alive, whatever their type
  std::uint64_t handles = 0;  ///< entries of all handle tables
  std::uint64_t names = 0;    ///< entries of all directories
  std::uint64_t locks = 0;    ///< granted byte-range locks
  std::uint64_t frames = 0;   ///< physical pages in use
  std::uint64_t commit = 0;   ///< pages charged
  bool operator==(const Counters&) const = default;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_COUNTERS_H_
