// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>

#include <dumpwriter/read/frame_index.h>
#include <snapshot/support/bytes.h>

namespace doppel {

namespace {

constexpr std::uint32_t kFrameMagic = 0xFD2FB528;
constexpr std::uint32_t kSeekTableMagic = 0x184D2A5E;
constexpr std::uint32_t kFooterMagic = 0x8F92EAB1;
constexpr std::uint32_t kMaxFrames = 0x8000000;
constexpr std::uint64_t kSkippableHeader = 8;

bool is_skippable(std::uint32_t magic) {
  return (magic & 0xFFFFFFF0u) == 0x184D2A50u;
}

struct Footer {
  ul32 frames;
  std::uint8_t descriptor = 0;
  ul32 magic;
};

static_assert(sizeof(Footer) == 9);

struct TableEntry {
  ul32 size;
  ul32 plain_size;
};

/// Short reads at rising offsets, from one buffer.
class Window {
 public:
  explicit Window(const ByteSource& file) : file_(file), buffer_(32 << 10) {}

  /// `size` bytes at `offset`; nothing when the file ends before.
  Result<std::optional<std::span<const std::byte>>> at(std::uint64_t offset, std::size_t size) {
    if (offset < begin_ || offset - begin_ > have_ || have_ - (offset - begin_) < size) {
      have_ = DOPPEL_TRY(file_.read(offset, buffer_));
      begin_ = offset;
    }
    std::optional<std::span<const std::byte>> bytes;
    if (have_ - (offset - begin_) >= size) {
      bytes = std::span<const std::byte>(buffer_).subspan(offset - begin_, size);
    }
    return bytes;
  }

 private:
  const ByteSource& file_;
  std::vector<std::byte> buffer_;
  std::uint64_t begin_ = 0;
  std::size_t have_ = 0;
};

std::uint64_t number(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  }
  return value;
}

/// A frame as its own bytes describe it.
struct Walked {
  std::uint64_t size = 0;
  std::optional<std::uint64_t> plain_size;
};

/// The frame at `offset`, whose magic was seen; nothing when it is not whole.
Result<std::optional<Walked>> walk_frame(Window& window, std::uint64_t offset) {
  const std::optional<Walked> cut;
  const auto descriptor_byte = DOPPEL_TRY(window.at(offset + 4, 1));
  if (!descriptor_byte) return cut;
  const auto descriptor = std::to_integer<unsigned>((*descriptor_byte)[0]);
  const bool single_segment = (descriptor & 0x20) != 0;
  const bool checksum = (descriptor & 0x04) != 0;
  if ((descriptor & 0x08) != 0) return cut;  // reserved, must be zero
  constexpr std::array<unsigned, 4> kDictionarySizes = {0, 1, 2, 4};
  constexpr std::array<unsigned, 4> kContentSizes = {0, 2, 4, 8};
  unsigned content_size = kContentSizes[descriptor >> 6];
  if (content_size == 0 && single_segment) content_size = 1;

  Walked frame;
  std::uint64_t at = offset + 5 + (single_segment ? 0 : 1) + kDictionarySizes[descriptor & 3];
  if (content_size > 0) {
    const auto bytes = DOPPEL_TRY(window.at(at, content_size));
    if (!bytes) return cut;
    frame.plain_size = number(*bytes) + (content_size == 2 ? 256 : 0);
    at += content_size;
  }
  for (bool last = false; !last;) {
    const auto header = DOPPEL_TRY(window.at(at, 3));
    if (!header) return cut;
    const auto bits = static_cast<std::uint32_t>(number(*header));
    last = (bits & 1) != 0;
    const std::uint32_t type = bits >> 1 & 3;
    if (type == 3) return cut;  // reserved
    // A run-length block holds one byte, however many it stands for.
    at += 3 + (type == 1 ? 1 : bits >> 3);
  }
  if (checksum) at += 4;
  // The last byte must be there.
  const auto end = DOPPEL_TRY(window.at(at - 1, 1));
  if (!end) return cut;
  frame.size = at - offset;
  return std::optional<Walked>(frame);
}

Result<> add_frame(FrameIndex& index, std::uint64_t offset, std::uint64_t size,
                   std::uint64_t plain_size) {
  if (plain_size > kMaxRandomFrame || size > kMaxRandomFrame * 2) {
    return fail(Errc::unsupported, "open dump: a frame is too large to be read at random",
                std::to_string(offset));
  }
  if (plain_size == 0) return {};
  index.frames.push_back({.offset = offset,
                          .plain_offset = index.plain_size,
                          .size = static_cast<std::uint32_t>(size),
                          .plain_size = static_cast<std::uint32_t>(plain_size)});
  index.plain_size += plain_size;
  return {};
}

Result<FrameIndex> walk(const ByteSource& file) {
  FrameIndex index;
  Window window(file);
  std::uint64_t offset = 0;
  while (offset < file.size()) {
    const auto magic_bytes = DOPPEL_TRY(window.at(offset, 4));
    const auto magic = magic_bytes ? static_cast<std::uint32_t>(number(*magic_bytes)) : 0;
    if (is_skippable(magic)) {
      const auto size_bytes = DOPPEL_TRY(window.at(offset + 4, 4));
      const std::uint64_t size = size_bytes ? number(*size_bytes) : file.size();
      if (size > file.size() - offset - std::min(file.size() - offset, kSkippableHeader)) break;
      if (magic != kSeekTableMagic) {
        index.attachments.push_back(
            {magic, offset + kSkippableHeader, static_cast<std::uint32_t>(size)});
      }
      offset += kSkippableHeader + size;
      continue;
    }
    if (magic != kFrameMagic) break;
    const std::optional<Walked> frame = DOPPEL_TRY(walk_frame(window, offset));
    if (!frame) break;
    if (!frame->plain_size) {
      return fail(Errc::unsupported, "open dump: a frame does not tell its size",
                  std::to_string(offset));
    }
    DOPPEL_TRY(add_frame(index, offset, frame->size, *frame->plain_size));
    offset += frame->size;
  }
  index.cut = offset < file.size();
  if (index.cut && index.frames.empty()) {
    return fail(Errc::malformed, "open dump: it holds no whole frame");
  }
  return index;
}

/// Nothing when there is no table, or one that does not fit the file: then the file is walked.
Result<std::optional<FrameIndex>> read_table(const ByteSource& file) {
  const std::optional<FrameIndex> none;
  Footer footer;
  if (file.size() < kSkippableHeader + sizeof footer) return none;
  DOPPEL_TRY(file.read_all(file.size() - sizeof footer,
                           std::as_writable_bytes(std::span<Footer>(&footer, 1))));
  // Bits 2-6 of the descriptor are reserved; bit 7: a checksum in each entry.
  if (footer.magic != kFooterMagic || (footer.descriptor & 0x7C) != 0) return none;
  const std::uint64_t entry_size = (footer.descriptor & 0x80) != 0 ? 12 : 8;
  const std::uint64_t body = footer.frames * entry_size + sizeof footer;
  if (footer.frames > kMaxFrames || body + kSkippableHeader > file.size()) return none;
  const std::uint64_t table = file.size() - body - kSkippableHeader;
  std::array<ul32, 2> header;
  DOPPEL_TRY(file.read_all(table, std::as_writable_bytes(std::span(header))));
  if (header[0] != kSeekTableMagic || header[1] != body) return none;

  FrameIndex index;
  index.from_table = true;
  std::uint64_t offset = 0;
  std::vector<std::byte> part(entry_size * 8192);
  for (std::uint64_t done = 0; done < footer.frames;) {
    const std::uint64_t count = std::min<std::uint64_t>(8192, footer.frames - done);
    const std::span<std::byte> bytes = std::span(part).first(count * entry_size);
    DOPPEL_TRY(file.read_all(table + kSkippableHeader + done * entry_size, bytes));
    done += count;
    for (std::uint64_t i = 0; i < count; ++i) {
      TableEntry entry;
      std::memcpy(&entry, bytes.data() + i * entry_size, sizeof entry);
      if (entry.size > table - offset) return none;
      if (entry.plain_size == 0 && entry.size >= kSkippableHeader) {
        std::array<ul32, 2> head;
        DOPPEL_TRY(file.read_all(offset, std::as_writable_bytes(std::span(head))));
        if (is_skippable(head[0]) && head[1] == entry.size - kSkippableHeader) {
          index.attachments.push_back({head[0], offset + kSkippableHeader, head[1]});
        }
      }
      DOPPEL_TRY(add_frame(index, offset, entry.size, entry.plain_size));
      offset += entry.size;
    }
  }
  if (offset != table) return none;
  return std::optional<FrameIndex>(std::move(index));
}

}  // namespace

bool looks_like_zstd(const ByteSource& file) {
  ul32 magic;
  const Result<> read = file.read_all(0, std::as_writable_bytes(std::span<ul32>(&magic, 1)));
  return read && (magic == kFrameMagic || is_skippable(magic));
}

Result<FrameIndex> index_frames(const ByteSource& file) {
  std::optional<FrameIndex> index = DOPPEL_TRY(read_table(file));
  if (index) return std::move(*index);
  return walk(file);
}

}  // namespace doppel
