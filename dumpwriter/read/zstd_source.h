// SPDX-License-Identifier: Apache-2.0
//
// A compressed dump as a ByteSource: any byte of it costs one frame. The last frames are kept, so
// that walking a stack does not decompress it again and again.
#ifndef DOPPEL_DUMPWRITER_READ_ZSTD_SOURCE_H_
#define DOPPEL_DUMPWRITER_READ_ZSTD_SOURCE_H_

#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include <dumpwriter/read/byte_source.h>
#include <dumpwriter/read/frame_index.h>

namespace doppel {

class ZstdSource final : public ByteSource {
 public:
  static constexpr std::uint64_t kCacheBytes = 16 << 20;

  ZstdSource(std::unique_ptr<const ByteSource> file, FrameIndex index);
  ~ZstdSource() override;

  std::uint64_t size() const override { return index_.plain_size; }

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> to) const override;

 private:
  using Contents = std::shared_ptr<const std::vector<std::byte>>;

  struct Cached {
    std::size_t frame = 0;
    Contents contents;
  };

  /// What frame `number` holds, from the cache or decompressed now.
  Result<Contents> contents(std::size_t number) const;
  Result<> decompress(const Frame& frame, std::span<std::byte> to) const;
  void keep(std::size_t number, Contents contents) const;

  const std::unique_ptr<const ByteSource> file_;
  const FrameIndex index_;
  mutable std::mutex mutex_;
  mutable std::list<Cached> recent_;  ///< first: used last
  mutable std::unordered_map<std::size_t, std::list<Cached>::iterator> by_frame_;
  mutable std::uint64_t cached_bytes_ = 0;
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_READ_ZSTD_SOURCE_H_
