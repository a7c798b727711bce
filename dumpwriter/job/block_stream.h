// SPDX-License-Identifier: Apache-2.0
//
// A plan divided into blocks, one after the other: each becomes one frame of the file and is worked
// on by one thread. Blocks are made as they are asked for, so the plan of a terabyte costs no list.
//
// Where a block ends is chosen for whoever reads the dump: the headers are blocks of their own, and
// a stretch of memory (a stack, a mapping) starts a block unless the one before is still small.
#ifndef DOPPEL_DUMPWRITER_JOB_BLOCK_STREAM_H_
#define DOPPEL_DUMPWRITER_JOB_BLOCK_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <dumpwriter/plan/dump_plan.h>

namespace doppel {

struct BlockPart {
  enum class Kind { literal, memory, zeros };
  Kind kind = Kind::zeros;
  std::size_t size = 0;
  std::span<const std::byte> literal;  ///< Kind::literal: into the plan
  /// Kind::memory: what to read. Kind::zeros: where the zeros are known to lie in the target;
  /// nowhere (absent) when they are padding.
  std::optional<AddressRange> range;
};

struct Block {
  std::uint64_t offset = 0;  ///< in the dump before compression
  std::size_t size = 0;
  std::vector<BlockPart> parts;
};

/// Not thread-safe.
class BlockStream {
 public:
  static constexpr std::size_t kPage = 4096;

  /// `plan` must outlive the stream. `block_size`: a multiple of kPage.
  BlockStream(const DumpPlan& plan, std::size_t block_size);

  /// The next block into `block`; false at the end.
  bool next(Block& block);
  /// The next block holds only headers: nothing of the target's memory came before it or is in it.
  bool next_is_header() const;

  /// Bytes of the whole plan.
  std::uint64_t total() const { return total_; }

 private:
  /// One more part of the current piece, at most `room` bytes.
  void take(Block& block, std::size_t room);
  bool starts_new_stretch() const;
  std::optional<AddressRange> place_of_zeros(std::size_t size) const;

  const DumpPlan& plan_;
  std::size_t block_size_;
  std::uint64_t total_ = 0;
  std::uint64_t offset_ = 0;
  std::size_t piece_ = 0;                 ///< index of the current piece
  std::uint64_t within_ = 0;              ///< bytes of it already taken
  std::optional<std::uint64_t> address_;  ///< where the memory so far ends
  bool literals_only_ = true;             ///< so far
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_JOB_BLOCK_STREAM_H_
