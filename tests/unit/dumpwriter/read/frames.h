// SPDX-License-Identifier: Apache-2.0
//
// zstd files put together by hand: what no writer of ours would write.
#ifndef DOPPEL_TESTS_UNIT_DUMPWRITER_READ_FRAMES_H_
#define DOPPEL_TESTS_UNIT_DUMPWRITER_READ_FRAMES_H_

#include <zstd.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace doppel::test {

using Bytes = std::vector<std::byte>;

inline void append(Bytes& to, const Bytes& bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

inline void append32(Bytes& to, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) to.push_back(static_cast<std::byte>(value >> (8 * i)));
}

struct FrameOptions {
  int level = 1;
  bool checksum = true;
  bool content_size = true;
};

inline Bytes frame_of(const Bytes& plain, FrameOptions options = {}) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, options.level);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, options.checksum ? 1 : 0);
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, options.content_size ? 1 : 0);
  Bytes frame(ZSTD_compressBound(plain.size()));
  frame.resize(ZSTD_compress2(context, frame.data(), frame.size(), plain.data(), plain.size()));
  ZSTD_freeCCtx(context);
  return frame;
}

inline Bytes skippable(std::uint32_t magic, const Bytes& payload) {
  Bytes frame;
  append32(frame, magic);
  append32(frame, static_cast<std::uint32_t>(payload.size()));
  append(frame, payload);
  return frame;
}

struct Row {
  std::uint32_t size = 0;
  std::uint32_t plain_size = 0;
};

inline Bytes table_of(const std::vector<Row>& rows, bool checksums = false) {
  Bytes payload;
  for (const Row& row : rows) {
    append32(payload, row.size);
    append32(payload, row.plain_size);
    if (checksums) append32(payload, 0x12345678);
  }
  append32(payload, static_cast<std::uint32_t>(rows.size()));
  payload.push_back(checksums ? std::byte{0x80} : std::byte{0});
  append32(payload, 0x8F92EAB1);
  return skippable(0x184D2A5E, payload);
}

inline Bytes text(std::string_view characters) {
  Bytes bytes;
  for (const char c : characters) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

}  // namespace doppel::test

#endif  // DOPPEL_TESTS_UNIT_DUMPWRITER_READ_FRAMES_H_
