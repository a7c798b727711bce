// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>
#include <utility>

#include <dumpwriter/minidump/builder.h>
#include <dumpwriter/minidump/records.h>

namespace doppel::minidump {

namespace {

constexpr std::size_t kPage = 4096;

std::size_t aligned(std::size_t size, std::size_t alignment) {
  return (size + alignment - 1) & ~(alignment - 1);
}

void store(std::vector<std::byte>& bytes, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<std::byte>(value >> (8 * i));
}

/// Length of the well-formed sequence at the start of `text` (not empty), 0 when there is none;
/// its code point in `point`.
std::size_t sequence(std::string_view text, std::uint32_t& point) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) {
    point = first;
    return 1;
  }
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  point = first & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    point = point << 6 | (byte(i) & 0x3f);
  }
  const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  if (overlong || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return 0;
  return length;
}

}  // namespace

std::vector<std::uint16_t> utf16(std::string_view text) {
  std::vector<std::uint16_t> units;
  while (!text.empty()) {
    std::uint32_t point = 0xfffd;
    std::size_t length = sequence(text, point);
    if (length == 0) {
      point = 0xfffd;
      length = 1;
    }
    if (point >= 0x10000) {
      units.push_back(static_cast<std::uint16_t>(0xd800 + ((point - 0x10000) >> 10)));
      units.push_back(static_cast<std::uint16_t>(0xdc00 + ((point - 0x10000) & 0x3ff)));
    } else {
      units.push_back(static_cast<std::uint16_t>(point));
    }
    text.remove_prefix(length);
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
