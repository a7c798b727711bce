// SPDX-License-Identifier: Apache-2.0
//
// The bytes of one block. A page that cannot be read becomes zeros, that page alone, and is
// recorded: one bad page must not cost the block, nor pass for zeros in silence.
#ifndef DOPPEL_DUMPWRITER_JOB_BLOCK_READER_H_
#define DOPPEL_DUMPWRITER_JOB_BLOCK_READER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <dumpwriter/job/block_stream.h>
#include <dumpwriter/job/write_report.h>
#include <snapshot/model/memory.h>

namespace doppel {

struct BlockFacts {
  std::uint64_t memory_bytes = 0;  ///< read, or zero-filled
  std::vector<ZeroFilled> filled;  ///< in the order of the block
  bool all_zero = false;
};

/// Fills `to` (block.size bytes). Errc::gone when the memory as a whole is no more: then nothing
/// about the block is known.
Result<BlockFacts> read_block(const Memory& memory, const Block& block, std::span<std::byte> to);

bool all_zero(std::span<const std::byte> bytes);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_JOB_BLOCK_READER_H_
