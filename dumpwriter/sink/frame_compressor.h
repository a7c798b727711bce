// SPDX-License-Identifier: Apache-2.0
//
// Bytes in, one independent zstd frame out: content size and checksum in it, so that the frame can
// be found, checked and read without any other. Any zstd reads it; `zstd -d` over the whole file
// gives the bytes of all frames in a row.
#ifndef DOPPEL_DUMPWRITER_SINK_FRAME_COMPRESSOR_H_
#define DOPPEL_DUMPWRITER_SINK_FRAME_COMPRESSOR_H_

#include <cstddef>
#include <memory>
#include <span>

#include <snapshot/support/result.h>

struct ZSTD_CCtx_s;

namespace doppel {

/// One per thread.
class FrameCompressor {
 public:
  /// Lowest and highest level that create() takes.
  static int min_level();
  static int max_level();

  /// Errc::limit for a level outside of [min_level(), max_level()].
  static Result<FrameCompressor> create(int level);
  /// Bytes that `out` of compress() must hold for `size` bytes of input.
  static std::size_t bound(std::size_t size);
  /// Bytes that one compressor allocates for frames of `frame_size` at `level`.
  static std::size_t footprint(int level, std::size_t frame_size);

  /// Bytes of the frame written to `out`.
  Result<std::size_t> compress(std::span<const std::byte> in, std::span<std::byte> out);

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
  };

  explicit FrameCompressor(ZSTD_CCtx_s* context) : context_(context) {}

  std::unique_ptr<ZSTD_CCtx_s, Free> context_;
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_SINK_FRAME_COMPRESSOR_H_
