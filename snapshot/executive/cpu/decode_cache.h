// SPDX-License-Identifier: Apache-2.0
//
// Decoded instructions of physical pages: decoding costs a quarter of a microsecond, executing a
// few nanoseconds. Keyed by frame, so that a clone that shares its parent's pages shares their
// decoding; a page whose version moved is forgotten whole. It never changes what a run does, only
// how long it takes.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_CPU_DECODE_CACHE_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_CPU_DECODE_CACHE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <snapshot/executive/cpu/guest_memory.h>
#include <snapshot/executive/cpu/instruction.h>

namespace doppel {

/// Not thread-safe; one per CPU.
class DecodeCache {
 public:
  /// The instruction at `offset` (below kGuestPageSize) of `page`, valid until the next call.
  /// nullptr when it runs over the page's end: such an instruction belongs to two frames and is not
  /// kept.
  const Instruction* find(const CodePage& page, std::uint32_t offset);

  std::uint64_t decoded() const { return decoded_; }  ///< instructions decoded so far, for tests

 private:
  struct Page {
    std::uint64_t version = 0;
    std::array<std::uint16_t, kGuestPageSize>
        at{};  ///< 1 + index into instructions; 0 = not decoded
    std::vector<Instruction> instructions;
  };

  std::unordered_map<std::uint64_t, std::unique_ptr<Page>> pages_;
  std::uint64_t last_frame_ = 0;
  Page* last_ = nullptr;
  std::uint64_t decoded_ = 0;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_CPU_DECODE_CACHE_H_
