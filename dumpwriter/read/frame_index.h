// SPDX-License-Identifier: Apache-2.0
//
// Where the frames of a zstd file are, and what they hold. From the seek table at its end (zstd's
// seekable format, version 0.1.0) where there is a sound one; else by walking from frame to frame
// over their headers alone (RFC 8878, 3.1), which also works on a file that was cut at any byte.
//
//   frame      = magic 0xFD2FB528 | descriptor u8 | [window u8] | [dictionary] | [content size]
//                { block header u24: last:1 type:2 size:21 | block } ... | [checksum u32]
//   skippable  = magic 0x184D2A50..5F | size u32 | bytes
//
// Nothing is decompressed here. Every number is taken for hostile.
#ifndef DOPPEL_DUMPWRITER_READ_FRAME_INDEX_H_
#define DOPPEL_DUMPWRITER_READ_FRAME_INDEX_H_

#include <cstdint>
#include <vector>

#include <dumpwriter/read/byte_source.h>

namespace doppel {

/// The attachments that a writer of ours puts into a dump.
inline constexpr std::uint32_t kReportMagic = 0x184D2A51;
/// A frame that is larger than this is not read at random: it would cost that much memory and time
/// for one byte of it. Ours are 1 MiB at most.
inline constexpr std::uint64_t kMaxRandomFrame = 64 << 20;

struct Frame {
  std::uint64_t offset = 0;        ///< in the file
  std::uint64_t plain_offset = 0;  ///< of its contents, in the dump
  std::uint32_t size = 0;          ///< in the file
  std::uint32_t plain_size = 0;
};

/// A skippable frame other than the seek table.
struct Attachment {
  std::uint32_t magic = 0;
  std::uint64_t offset = 0;  ///< of its bytes, behind the header
  std::uint32_t size = 0;
};

struct FrameIndex {
  std::vector<Frame> frames;  ///< those with contents, in file order
  std::vector<Attachment> attachments;
  std::uint64_t plain_size = 0;
  bool from_table = false;  ///< false: found by walking
  bool cut = false;         ///< the file ends within a frame, or what follows is no frame
};

bool looks_like_zstd(const ByteSource& file);

/// Errc::malformed when there is no whole frame; Errc::unsupported when a frame does not say how
/// large its contents are, or is larger than kMaxRandomFrame: such a file (one that was made by
/// `zstd` itself, say) can be decompressed, but not read at random.
Result<FrameIndex> index_frames(const ByteSource& file);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_READ_FRAME_INDEX_H_
