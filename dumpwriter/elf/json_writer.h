// SPDX-License-Identifier: Apache-2.0
//
// Writes one JSON text (RFC 8259), token by token, and nothing else. Names of files and threads are
// bytes, not text, and JSON holds text only; so a string that is not valid UTF-8 is written twice:
// readable, with U+FFFD for each byte that is wrong, and exact, in hex, under the name with
// "_bytes" added. Within an array such a string becomes {"text":...,"bytes":...}.
#ifndef DOPPEL_DUMPWRITER_ELF_JSON_WRITER_H_
#define DOPPEL_DUMPWRITER_ELF_JSON_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace doppel {

/// Not thread-safe. Nesting is the caller's duty (asserted at the end). Keys are literals of ours:
/// plain ASCII without quotes.
class JsonWriter {
 public:
  // Members of an object: the key comes first.
  void begin_object(std::string_view key);
  void begin_array(std::string_view key);
  void text(std::string_view key, std::string_view value);
  void number(std::string_view key, std::uint64_t value);
  void signed_number(std::string_view key, std::int64_t value);
  void boolean(std::string_view key, bool value);
  void null(std::string_view key);
  /// "0x..." without leading zeros: addresses, masks, and whatever may exceed 2^53.
  void hex(std::string_view key, std::uint64_t value);
  /// Two lower-case digits a byte.
  void bytes(std::string_view key, std::span<const std::byte> value);

  // Elements of an array, and the outermost value.
  void begin_object();
  void begin_array();
  void text(std::string_view value);

  void end_object();
  void end_array();

  /// The text. Everything begun must have ended (asserted).
  std::string take() &&;

 private:
  void separate();
  void put_key(std::string_view key);
  void put_string(std::string_view value);
  void put_hex_digits(std::span<const std::byte> value);

  std::string out_;
  std::size_t depth_ = 0;
  bool comma_ = false;
};

/// Whether all of `text` is well-formed UTF-8 (Unicode 15, table 3-7: no surrogates, no overlong
/// forms, nothing beyond U+10FFFF).
bool is_utf8(std::string_view text);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_ELF_JSON_WRITER_H_
