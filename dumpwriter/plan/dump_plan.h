// SPDX-License-Identifier: Apache-2.0
//
// The file, before it exists: pieces in file order. Offsets cannot disagree with the order, since
// the order is the offsets.
#ifndef DOPPEL_DUMPWRITER_PLAN_DUMP_PLAN_H_
#define DOPPEL_DUMPWRITER_PLAN_DUMP_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include <snapshot/model/address.h>

namespace doppel {

/// Headers, notes, streams: already final.
struct Literal {
  std::vector<std::byte> bytes;
};

/// Poured from the snapshot's memory while writing.
struct FromMemory {
  AddressRange range;
};

/// Padding, and pages that are zero.
struct Zeros {
  std::uint64_t count = 0;
};

using Piece = std::variant<Literal, FromMemory, Zeros>;

struct DumpPlan {
  std::vector<Piece> pieces;

  /// Bytes of the file.
  std::uint64_t size() const;
  /// Bytes that come from memory.
  std::uint64_t memory_size() const;
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_PLAN_DUMP_PLAN_H_
