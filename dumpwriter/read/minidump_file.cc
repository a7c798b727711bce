// SPDX-License-Identifier: Apache-2.0
#include <llvm/BinaryFormat/Minidump.h>

#include <algorithm>
#include <utility>

#include <dumpwriter/read/minidump_file.h>

namespace doppel {

namespace {

using llvm::minidump::Directory;
using llvm::minidump::Header;

constexpr std::uint32_t kMaxStreams = 4096;  // real files have about 20
constexpr std::uint64_t kMaxBytes = 1ull << 30;
constexpr std::uint32_t kMaxText = 128 << 10;  // bytes; a path of NT has at most 64 KiB

void append_utf8(std::uint32_t point, std::string& text) {
  const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xc0 | point >> 6);
    put(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    put(0xe0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3f));
    put(0x80 | (point & 0x3f));
  } else {
    put(0xf0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3f));
    put(0x80 | (point >> 6 & 0x3f));
    put(0x80 | (point & 0x3f));
  }
}

std::string utf8(std::span<const std::byte> units) {
  std::string text;
  StreamCursor cursor(units);
  const auto is_low = [](std::uint32_t unit) { return unit >= 0xdc00 && unit < 0xe000; };
  std::uint32_t high = 0;
  while (cursor.has(2)) {
    const std::uint32_t unit = cursor.take<llvm::support::ulittle16_t>();
    if (high != 0 && is_low(unit)) {
      append_utf8(0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00), text);
      high = 0;
      continue;
    }
    if (high != 0) append_utf8(0xfffd, text);
    high = unit >= 0xd800 && unit < 0xdc00 ? unit : 0;
    if (high == 0) append_utf8(is_low(unit) ? 0xfffd : unit, text);
  }
  if (high != 0) append_utf8(0xfffd, text);
  return text;
}

}  // namespace

bool looks_like_minidump(const ByteSource& source) {
  llvm::support::ulittle32_t magic;
  return source.size() >= sizeof magic &&
         source.read_all(0, std::as_writable_bytes(std::span(&magic, 1))).has_value() &&
         magic == Header::MagicSignature;
}

MinidumpFile::MinidumpFile(std::shared_ptr<const ByteSource> source)
    : source_(std::move(source)),
      budget_(std::min<std::uint64_t>(kMaxBytes,
                                      (16ull << 20) + std::min(source_->size(), kMaxBytes) * 4)) {}

Result<MinidumpFile> MinidumpFile::open(std::shared_ptr<const ByteSource> source) {
  MinidumpFile file(std::move(source));
  const std::vector<std::byte> head = file.bytes(0, sizeof(Header));
  if (head.empty()) return fail(Errc::malformed, "read minidump: shorter than its header");
  const auto header = StreamCursor(head).take<Header>();
  if (header.Signature != Header::MagicSignature ||
      (header.Version & 0xffff) != Header::MagicVersion) {
    return fail(Errc::malformed, "read minidump: signature");
  }
  const std::uint32_t count = header.NumberOfStreams;
  if (count > kMaxStreams) {
    return fail(Errc::limit, "read minidump: streams", std::to_string(count));
  }
  file.time_ = header.TimeDateStamp;
  const std::vector<std::byte> directory =
      file.bytes(header.StreamDirectoryRVA, count * sizeof(Directory));
  if (directory.empty() && count > 0) {
    return fail(Errc::malformed, "read minidump: it ends within its directory");
  }
  StreamCursor cursor(directory);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto entry = cursor.take<Directory>();
    const auto type =
        static_cast<std::uint32_t>(static_cast<llvm::minidump::StreamType>(entry.Type));
    const Place place{.size = entry.Location.DataSize, .rva = entry.Location.RVA};
    if (type == 0 || place.size == 0) continue;  // a slot that was never used
    if (std::uint64_t{place.rva} + place.size > file.size()) file.cut_ = true;
    file.streams_.emplace(type, place);
  }
  return file;
}

std::vector<std::byte> MinidumpFile::stream(std::uint32_t type) {
  const auto found = streams_.find(type);
  if (found == streams_.end() || found->second.rva >= size()) return {};
  const std::uint64_t held = size() - found->second.rva;
  return bytes(found->second.rva, std::min<std::uint64_t>(found->second.size, held));
}

std::vector<std::byte> MinidumpFile::bytes(std::uint64_t rva, std::uint64_t size) {
  if (size == 0 || rva > source_->size() || size > source_->size() - rva) return {};
  if (exhausted_ || size > budget_) {
    exhausted_ = true;
    return {};
  }
  budget_ -= size;
  std::vector<std::byte> bytes(size);
  if (!source_->read_all(rva, bytes)) return {};
  return bytes;
}

std::string MinidumpFile::text(std::uint64_t rva) {
  const std::vector<std::byte> head = bytes(rva, 4);
  if (rva == 0 || head.empty()) return {};
  const std::uint32_t size = StreamCursor(head).take<llvm::support::ulittle32_t>();
  return utf8(bytes(rva + 4, std::min(size, kMaxText)));
}

}  // namespace doppel
