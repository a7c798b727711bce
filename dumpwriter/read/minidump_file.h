// SPDX-License-Identifier: Apache-2.0
//
// The envelope of a minidump: header, directory, and bytes at a position, each access within the
// file. It knows no stream's contents. A file that was cut gives what it holds.
#ifndef DOPPEL_DUMPWRITER_READ_MINIDUMP_FILE_H_
#define DOPPEL_DUMPWRITER_READ_MINIDUMP_FILE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <dumpwriter/read/byte_source.h>
#include <snapshot/support/result.h>

namespace doppel {

bool looks_like_minidump(const ByteSource& source);

/// Bytes of a stream, read front to back; a read beyond their end gives zeros and says so.
class StreamCursor {
 public:
  explicit StreamCursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::size_t left() const { return bytes_.size() - at_; }

  bool has(std::size_t size) const { return left() >= size; }

  void skip(std::size_t size) { at_ += size < left() ? size : left(); }

  template <class T>
    requires std::is_trivially_copyable_v<T>
  T take() {
    T value{};
    if (has(sizeof value))
      std::memcpy(static_cast<void*>(&value), bytes_.data() + at_, sizeof value);
    skip(sizeof value);
    return value;
  }

  /// A 32-bit count of entries, as many as there are bytes for. Some writers pad it to 8 bytes.
  std::uint32_t take_count(std::size_t entry_size) {
    const auto count = take<std::uint32_t>();
    if (left() == std::uint64_t{count} * entry_size + 4) skip(4);
    const std::size_t most = left() / entry_size;
    return count < most ? count : static_cast<std::uint32_t>(most);
  }

  std::span<const std::byte> take_bytes(std::size_t size) {
    const std::size_t count = size < left() ? size : left();
    const auto taken = bytes_.subspan(at_, count);
    at_ += count;
    return taken;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

/// Not thread-safe.
class MinidumpFile {
 public:
  /// Errc::malformed: no minidump, or too short for its header and directory. Errc::limit: more
  /// than 4096 streams.
  static Result<MinidumpFile> open(std::shared_ptr<const ByteSource> source);

  /// Of the first stream of that type, as far as the file holds it; empty when there is none.
  std::vector<std::byte> stream(std::uint32_t type);

  bool has(std::uint32_t type) const { return streams_.contains(type); }

  /// `size` bytes at `rva`, or none when the file does not hold them all.
  std::vector<std::byte> bytes(std::uint64_t rva, std::uint64_t size);
  /// MINIDUMP_STRING at `rva` as UTF-8, U+FFFD for a surrogate alone; "" for what is none.
  std::string text(std::uint64_t rva);

  std::uint32_t time() const { return time_; }

  std::uint64_t size() const { return source_->size(); }

  /// A stream ends beyond the file.
  bool cut() const { return cut_; }

  /// Records that point at the same bytes again and again asked for more than a sane file would:
  /// from then on everything is empty.
  bool exhausted() const { return exhausted_; }

 private:
  struct Place {
    std::uint32_t size = 0, rva = 0;
  };

  explicit MinidumpFile(std::shared_ptr<const ByteSource> source);

  std::shared_ptr<const ByteSource> source_;
  std::map<std::uint32_t, Place> streams_;
  std::uint32_t time_ = 0;
  std::uint64_t budget_;
  bool cut_ = false;
  bool exhausted_ = false;
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_READ_MINIDUMP_FILE_H_
