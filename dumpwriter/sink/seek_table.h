// SPDX-License-Identifier: Apache-2.0
//
// The table at the end of a dump that lets a reader jump: zstd's seekable format, version 0.1.0
// (facebook/zstd, contrib/seekable_format/zstd_seekable_compression_format.md), written by hand.
//
//   frame 0 | frame 1 | ... | skippable frames | seek table
//   seek table = 0x184D2A5E, size u32, { compressed u32, decompressed u32 } x n, footer
//   footer     = n u32, descriptor u8 (0: no checksums here, each frame has its own), 0x8F92EAB1
//
// Every frame of the file is listed, skippable ones with a decompressed size of 0 (as the
// specification asks), so that offsets are sums.
#ifndef DOPPEL_DUMPWRITER_SINK_SEEK_TABLE_H_
#define DOPPEL_DUMPWRITER_SINK_SEEK_TABLE_H_

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include <dumpwriter/sink/sink.h>

namespace doppel {

/// Skippable frames that doppel writes into a dump; zstd jumps over them.
inline constexpr std::uint32_t kAttachmentMagic = 0x184D2A51;

class SeekTable {
 public:
  static constexpr std::uint64_t kMaxFrames = 0x8000000;
  static constexpr std::uint64_t kMaxFrameSize = 1 << 30;

  /// Errc::limit beyond the format's kMaxFrames. 8 bytes of memory per frame.
  Result<> add(std::uint32_t compressed, std::uint32_t decompressed);

  std::uint64_t frames() const { return entries_.size(); }

  /// Bytes that write_to() will write.
  std::uint64_t encoded_size() const;
  Result<> write_to(Sink& sink) const;

 private:
  struct Entry {
    std::uint32_t compressed = 0;
    std::uint32_t decompressed = 0;
  };

  // A deque: growing never holds the table twice.
  std::deque<Entry> entries_;
};

/// Header of a skippable frame (RFC 8878, 3.1.2) of `size` bytes. `magic` is 0x184D2A50 to ..5F.
std::array<std::byte, 8> skippable_header(std::uint32_t magic, std::uint32_t size);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_SINK_SEEK_TABLE_H_
