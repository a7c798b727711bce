// SPDX-License-Identifier: Apache-2.0
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include <dumpwriter/read/zstd_source.h>

namespace doppel {

ZstdSource::ZstdSource(std::unique_ptr<const ByteSource> file, FrameIndex index)
    : file_(std::move(file)), index_(std::move(index)) {}

ZstdSource::~ZstdSource() = default;

Result<std::size_t> ZstdSource::read(std::uint64_t offset, std::span<std::byte> to) const {
  if (offset >= size()) return 0;
  to = to.first(std::min<std::uint64_t>(to.size(), size() - offset));
  const auto after = std::upper_bound(
      index_.frames.begin(), index_.frames.end(), offset,
      [](std::uint64_t at, const Frame& frame) { return at < frame.plain_offset; });
  auto number = static_cast<std::size_t>(after - index_.frames.begin()) - 1;
  std::size_t done = 0;
  while (done < to.size()) {
    const Frame& frame = index_.frames[number];
    const std::uint64_t skip = offset + done - frame.plain_offset;
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(frame.plain_size - skip, to.size() - done));
    if (count == frame.plain_size) {
      // All of it, at once: no use in keeping it, whoever reads this way goes through the dump.
      DOPPEL_TRY(decompress(frame, to.subspan(done, count)));
    } else {
      const Contents held = DOPPEL_TRY(contents(number));
      std::memcpy(to.data() + done, held->data() + skip, count);
    }
    done += count;
    ++number;
  }
  return done;
}

Result<ZstdSource::Contents> ZstdSource::contents(std::size_t number) const {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = by_frame_.find(number); found != by_frame_.end()) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return recent_.front().contents;
    }
  }
  // Without the lock: two threads may do the same work once, but never wait for each other.
  auto bytes = std::make_shared<std::vector<std::byte>>(index_.frames[number].plain_size);
  DOPPEL_TRY(decompress(index_.frames[number], *bytes));
  Contents contents = std::move(bytes);
  keep(number, contents);
  return contents;
}

Result<> ZstdSource::decompress(const Frame& frame, std::span<std::byte> to) const {
  std::vector<std::byte> packed(frame.size);
  DOPPEL_TRY(file_->read_all(frame.offset, packed));
  const std::size_t count = ZSTD_decompress(to.data(), to.size(), packed.data(), packed.size());
  if (ZSTD_isError(count)) {
    return fail(Errc::malformed, "decompress frame",
                std::to_string(frame.offset) + ": " + ZSTD_getErrorName(count));
  }
  if (count != to.size()) {
    return fail(Errc::malformed, "decompress frame: not of the size told",
                std::to_string(frame.offset));
  }
  return {};
}

void ZstdSource::keep(std::size_t number, Contents contents) const {
  const std::lock_guard lock(mutex_);
  if (by_frame_.contains(number)) return;
  cached_bytes_ += contents->size();
  recent_.push_front({number, std::move(contents)});
  by_frame_[number] = recent_.begin();
  while (cached_bytes_ > kCacheBytes && recent_.size() > 1) {
    cached_bytes_ -= recent_.back().contents->size();
    by_frame_.erase(recent_.back().frame);
    recent_.pop_back();
  }
}

}  // namespace doppel
