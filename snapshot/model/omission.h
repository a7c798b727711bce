// SPDX-License-Identifier: Apache-2.0
//
// What a snapshot does not hold although the process did, and what it holds but cannot vouch for. A
// dump tells the truth: these lists are written into it.
#ifndef DOPPEL_SNAPSHOT_MODEL_OMISSION_H_
#define DOPPEL_SNAPSHOT_MODEL_OMISSION_H_

#include <string>

#include <snapshot/model/address.h>

namespace doppel {

/// Missing. `range.size` 0: not memory (a thread's registers, a handle list).
struct Omission {
  std::string what;  ///< "memory", "registers", "handles", ...
  AddressRange range;
  std::string why;  ///< one short clause: "MADV_DONTFORK", "unreadable", "secret memory"
  /// Not a loss: the user's choice (a filter, --shared omit), the process's own (MADV_DONTDUMP), or
  /// there was nothing to lose (guard pages).
  bool asked = false;
  bool operator==(const Omission&) const = default;
};

/// Present, but not of the instant of the snapshot.
struct TornRange {
  AddressRange range;
  std::string why;  ///< "shared memory, read after the release"
  bool operator==(const TornRange&) const = default;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_MODEL_OMISSION_H_
