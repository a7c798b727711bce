// SPDX-License-Identifier: Apache-2.0
//
// Little-endian records, field by field. It knows no format; a place that will hold the position of
// memory in the file, which is not known yet, is remembered and filled in later.
#ifndef DOPPEL_DUMPWRITER_MINIDUMP_RECORD_WRITER_H_
#define DOPPEL_DUMPWRITER_MINIDUMP_RECORD_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace doppel::minidump {

/// A field that is to hold the file offset of a byte of memory: `relative` bytes behind the start
/// of all memory in the file.
struct MemoryReference {
  std::size_t at = 0;  ///< of the field, in the record's bytes
  std::uint64_t relative = 0;
  bool wide = false;  ///< eight bytes, else four
};

/// Not thread-safe.
class RecordWriter {
 public:
  RecordWriter& u8(std::uint8_t value) { return put(value); }

  RecordWriter& u16(std::uint16_t value) { return put(value); }

  RecordWriter& u32(std::uint32_t value) { return put(value); }

  RecordWriter& u64(std::uint64_t value) { return put(value); }

  RecordWriter& zeros(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }

  RecordWriter& raw(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }

  RecordWriter& text(std::string_view text) { return raw(std::as_bytes(std::span(text))); }

  /// File offset of memory, filled in by MinidumpBuilder::finish().
  RecordWriter& memory_offset32(std::uint64_t relative) {
    references_.push_back({.at = bytes_.size(), .relative = relative, .wide = false});
    return u32(0);
  }

  RecordWriter& memory_offset64(std::uint64_t relative) {
    references_.push_back({.at = bytes_.size(), .relative = relative, .wide = true});
    return u64(0);
  }

  std::size_t size() const { return bytes_.size(); }

  const std::vector<std::byte>& bytes() const { return bytes_; }

  const std::vector<MemoryReference>& references() const { return references_; }

 private:
  template <class T>
  RecordWriter& put(T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      bytes_.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i)));
    }
    return *this;
  }

  std::vector<std::byte> bytes_;
  std::vector<MemoryReference> references_;
};

}  // namespace doppel::minidump

#endif  // DOPPEL_DUMPWRITER_MINIDUMP_RECORD_WRITER_H_
