// SPDX-License-Identifier: Apache-2.0
#include <zstd.h>

#include <algorithm>
#include <string>

#include <dumpwriter/sink/frame_compressor.h>

namespace doppel {

void FrameCompressor::Free::operator()(ZSTD_CCtx_s* context) const {
  ZSTD_freeCCtx(context);
}

int FrameCompressor::min_level() {
  // zstd's own floor is -131072; below -7 or so nothing but the ratio changes.
  return std::max(ZSTD_minCLevel(), -50);
}

int FrameCompressor::max_level() {
  return ZSTD_maxCLevel();
}

Result<FrameCompressor> FrameCompressor::create(int level) {
  if (level < min_level() || level > max_level()) {
    return fail(Errc::limit, "set compression level", std::to_string(level));
  }
  FrameCompressor compressor(ZSTD_createCCtx());
  if (!compressor.context_) return fail(Errc::limit, "allocate a compressor");
  ZSTD_CCtx* const context = compressor.context_.get();
  if (ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)) ||
      ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)) ||
      ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 1))) {
    return fail(Errc::unsupported, "set compression level", std::to_string(level));
  }
  return compressor;
}

std::size_t FrameCompressor::bound(std::size_t size) {
  return ZSTD_compressBound(size);
}

std::size_t FrameCompressor::footprint(int level, std::size_t frame_size) {
  // zstd's estimate needs its unstable interface. Tables of levels that fit a window of
  // `frame_size`: a hash table up to level 2, two or three of up to 8 x the window's bytes above.
  const std::size_t fixed = 1 << 20;
  if (level <= 2) return fixed;
  return fixed + frame_size * (level <= 12 ? 8 : 24);
}

Result<std::size_t> FrameCompressor::compress(std::span<const std::byte> in,
                                              std::span<std::byte> out) {
  const std::size_t size =
      ZSTD_compress2(context_.get(), out.data(), out.size(), in.data(), in.size());
  if (ZSTD_isError(size)) return fail(Errc::limit, "compress", ZSTD_getErrorName(size));
  return size;
}

}  // namespace doppel
