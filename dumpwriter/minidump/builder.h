// SPDX-License-Identifier: Apache-2.0
//
// The part of a minidump before the memory: header, directory, streams, and what streams point at.
// All of it must lie below 4 GiB, since a minidump's positions (RVAs) have 32 bits.
//
// It knows the envelope and no stream.
#ifndef DOPPEL_DUMPWRITER_MINIDUMP_BUILDER_H_
#define DOPPEL_DUMPWRITER_MINIDUMP_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <dumpwriter/minidump/record_writer.h>
#include <snapshot/support/result.h>

namespace doppel::minidump {

/// MINIDUMP_LOCATION_DESCRIPTOR.
struct Location {
  std::uint32_t size = 0;
  std::uint32_t rva = 0;
};

/// Not thread-safe.
class MinidumpBuilder {
 public:
  /// Beyond this the part before the memory is refused: with what lies in reach of 32 bits behind
  /// it (kMemoryReach) it stays below 4 GiB.
  static constexpr std::uint64_t kMaxSize = 1ull << 30;
  /// Memory up to here, counted from the start of all memory in the file, can be named by an RVA.
  static constexpr std::uint64_t kMemoryReach = 3ull << 30;
  static constexpr std::size_t kMaxStreams = 32;

  /// `most`: bytes that finish() lets through.
  explicit MinidumpBuilder(std::uint64_t most = kMaxSize);

  /// Sets bytes apart and returns where they lie. `alignment` is a power of two.
  Location put(std::span<const std::byte> bytes, std::size_t alignment = 4);
  /// MINIDUMP_STRING of text in UTF-8; a byte that is no UTF-8 becomes U+FFFD.
  std::uint32_t put_string(std::string_view text);
  /// At most kMaxStreams, one of a type (asserted).
  void add_stream(std::uint32_t type, const RecordWriter& body);

  /// Errc::limit when it became too large. The result is a multiple of 4096 bytes long, and all
  /// memory is to follow it.
  Result<std::vector<std::byte>> finish(std::uint32_t time, std::uint64_t flags) &&;

 private:
  struct Entry {
    std::uint32_t type = 0;
    Location location;
  };

  std::uint64_t most_;
  std::vector<std::byte> bytes_;
  std::vector<Entry> directory_;
  std::vector<MemoryReference> references_;
};

/// UTF-8 to UTF-16; a byte that is no UTF-8 becomes U+FFFD.
std::vector<std::uint16_t> utf16(std::string_view text);

}  // namespace doppel::minidump

#endif  // DOPPEL_DUMPWRITER_MINIDUMP_BUILDER_H_
