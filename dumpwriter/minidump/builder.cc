// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>
#include <utility>

#include <dumpwriter/minidump/builder.h>
#include <dumpwriter/minidump/records.h>
#include <snapshot/support/utf8.h>

namespace doppel::minidump {

namespace {

constexpr std::size_t kPage = 4096;

std::size_t aligned(std::size_t size, std::size_t alignment) {
  return (size + alignment - 1) & ~(alignment - 1);
}

void store(std::vector<std::byte>& bytes, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<std::byte>(value >> (8 * i));
}

/// The code point of the character that `text` begins with, `length` bytes long (utf8_length()).
std::uint32_t code_point(std::string_view text, std::size_t length) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (length == 1) return first;
  std::uint32_t point = first & (0xffu >> (length + 1));
  for (const char c : text.substr(1, length - 1)) point = point << 6 | (c & 0x3f);
  return point;
}

}  // namespace

std::vector<std::uint16_t> utf16(std::string_view text) {
  std::vector<std::uint16_t> units;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::uint32_t point = length == 0 ? 0xfffd : code_point(text, length);
    if (point >= 0x10000) {
      units.push_back(static_cast<std::uint16_t>(0xd800 + ((point - 0x10000) >> 10)));
      units.push_back(static_cast<std::uint16_t>(0xdc00 + ((point - 0x10000) & 0x3ff)));
    } else {
      units.push_back(static_cast<std::uint16_t>(point));
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return units;
}

MinidumpBuilder::MinidumpBuilder(std::uint64_t most)
    : most_(most), bytes_(kHeaderSize + kMaxStreams * kDirectorySize) {}

Location MinidumpBuilder::put(std::span<const std::byte> bytes, std::size_t alignment) {
  bytes_.resize(aligned(bytes_.size(), alignment));
  const std::size_t at = bytes_.size();
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  // Wrong only where finish() refuses the whole.
  return {.size = static_cast<std::uint32_t>(bytes.size()), .rva = static_cast<std::uint32_t>(at)};
}

std::uint32_t MinidumpBuilder::put_string(std::string_view text) {
  const std::vector<std::uint16_t> units = utf16(text);
  RecordWriter record;
  record.u32(static_cast<std::uint32_t>(2 * units.size()));
  for (const std::uint16_t unit : units) record.u16(unit);
  record.u16(0);
  return put(record.bytes()).rva;
}

void MinidumpBuilder::add_stream(std::uint32_t type, const RecordWriter& body) {
  assert(directory_.size() < kMaxStreams);
  assert(std::none_of(directory_.begin(), directory_.end(),
                      [&](const Entry& entry) { return entry.type == type; }));
  const Location location = put(body.bytes(), 8);
  directory_.push_back({.type = type, .location = location});
  for (MemoryReference reference : body.references()) {
    reference.at += location.rva;
    references_.push_back(reference);
  }
}

Result<std::vector<std::byte>> MinidumpBuilder::finish(std::uint32_t time, std::uint64_t flags) && {
  bytes_.resize(aligned(bytes_.size(), kPage));
  const std::uint64_t memory = bytes_.size();
  if (memory > most_) {
    return fail(Errc::limit, "plan minidump: too many facts", std::to_string(memory));
  }
  RecordWriter head;
  head.u32(kSignature).u32(kVersion);
  head.u32(static_cast<std::uint32_t>(directory_.size())).u32(kHeaderSize);
  head.u32(0).u32(time).u64(flags);
  for (const Entry& entry : directory_) {
    head.u32(entry.type).u32(entry.location.size).u32(entry.location.rva);
  }
  std::copy(head.bytes().begin(), head.bytes().end(), bytes_.begin());
  for (const MemoryReference& reference : references_) {
    assert(reference.wide || reference.relative <= kMemoryReach);
    store(bytes_, reference.at, memory + reference.relative, reference.wide ? 8 : 4);
  }
  return std::move(bytes_);
}

}  // namespace doppel::minidump
