// SPDX-License-Identifier: Apache-2.0
//
// Gives the clone's pages back as they are written, so that a target that writes on pays for fewer
// and fewer copies. Each call costs a stop of the clone, so neighbours are joined.
#ifndef DOPPEL_DUMPWRITER_JOB_RELEASE_BATCH_H_
#define DOPPEL_DUMPWRITER_JOB_RELEASE_BATCH_H_

#include <cstdint>

#include <snapshot/model/memory.h>

namespace doppel {

/// Used by one thread.
class ReleaseBatch {
 public:
  static constexpr std::uint64_t kMaxBytes = 4 << 20;

  /// `range` was written. Calls memory.release() for what came before when `range` does not join
  /// it, or when kMaxBytes are together. Only whole pages are released.
  void add(const Memory& memory, AddressRange range);
  /// Releases what is left. After it, or instead of it (when the memory is gone), forget.
  void flush(const Memory& memory);

 private:
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_JOB_RELEASE_BATCH_H_
