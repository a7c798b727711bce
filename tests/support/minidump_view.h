// SPDX-License-Identifier: Apache-2.0
//
// A minidump's bytes, taken apart for tests by a reader that shares nothing with ours. Every access
// is checked by the test framework: a wrong offset is a failure, not a crash.
#ifndef DOPPEL_TESTS_SUPPORT_MINIDUMP_VIEW_H_
#define DOPPEL_TESTS_SUPPORT_MINIDUMP_VIEW_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace doppel {

class MinidumpView {
 public:
  explicit MinidumpView(std::span<const std::byte> file) : file_(file) {
    EXPECT_EQ(u32(0), 0x504d444du);
    EXPECT_EQ(u16(4), 0xa793u);
    const std::uint32_t directory = u32(12);
    for (std::uint32_t i = 0; i < u32(8); ++i) {
      const std::size_t at = directory + 12 * i;
      const Stream stream{u32(at + 8), u32(at + 4)};
      EXPECT_LE(std::uint64_t{stream.offset} + stream.size, file_.size()) << u32(at);
      EXPECT_TRUE(streams_.emplace(u32(at), stream).second) << "twice: " << u32(at);
    }
  }

  struct Stream {
    std::uint32_t offset = 0, size = 0;
  };

  bool has(std::uint32_t type) const { return streams_.contains(type); }

  Stream stream(std::uint32_t type) const {
    const auto found = streams_.find(type);
    EXPECT_NE(found, streams_.end()) << "no stream " << type;
    return found == streams_.end() ? Stream{} : found->second;
  }

  std::string stream_text(std::uint32_t type) const {
    const Stream each = stream(type);
    return text(each.offset, each.size);
  }

  std::string text(std::size_t at, std::size_t size) const {
    EXPECT_LE(at + size, file_.size());
    if (at + size > file_.size()) return {};
    return {reinterpret_cast<const char*>(file_.data()) + at, size};
  }

  /// MINIDUMP_STRING; units beyond ASCII become '?'.
  std::string string(std::uint32_t rva) const {
    std::string out;
    EXPECT_EQ(u32(rva) % 2, 0u);
    for (std::uint32_t i = 0; i < u32(rva) / 2; ++i) {
      const std::uint16_t unit = u16(rva + 4 + 2 * i);
      out += unit < 0x80 ? static_cast<char>(unit) : '?';
    }
    EXPECT_EQ(u16(rva + 4 + u32(rva)), 0u);
    return out;
  }

  std::uint16_t u16(std::size_t at) const { return load<std::uint16_t>(at); }

  std::uint32_t u32(std::size_t at) const { return load<std::uint32_t>(at); }

  std::uint64_t u64(std::size_t at) const { return load<std::uint64_t>(at); }

  std::size_t size() const { return file_.size(); }

  std::span<const std::byte> bytes() const { return file_; }

 private:
  template <class T>
  T load(std::size_t at) const {
    T value{};
    EXPECT_LE(at + sizeof value, file_.size());
    if (at + sizeof value <= file_.size()) std::memcpy(&value, file_.data() + at, sizeof value);
    return value;
  }

  std::span<const std::byte> file_;
  std::map<std::uint32_t, Stream> streams_;
};

}  // namespace doppel

#endif  // DOPPEL_TESTS_SUPPORT_MINIDUMP_VIEW_H_
