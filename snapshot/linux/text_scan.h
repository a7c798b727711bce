// SPDX-License-Identifier: Apache-2.0
//
// The few ways in which the parsers of /proc take text apart: lines, words, numbers. All of them
// accept any bytes whatsoever; "not there" is an empty view or an empty optional, never a guess. No
// regular expressions, no locale, no allocation.
//
// It must not know what any of the files mean.
#ifndef DOPPEL_SNAPSHOT_LINUX_TEXT_SCAN_H_
#define DOPPEL_SNAPSHOT_LINUX_TEXT_SCAN_H_

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace doppel::text {

/// Cuts the next line off `rest`, without its newline. False at the end. A last line without a
/// newline is a line.
inline bool next_line(std::string_view& rest, std::string_view& line) {
  if (rest.empty()) return false;
  const std::size_t end = rest.find('\n');
  line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return true;
}

/// Cuts the next word (bytes other than blanks and tabs) off `rest`; empty at the end.
inline std::string_view next_word(std::string_view& rest) {
  const std::size_t begin = rest.find_first_not_of(" \t");
  if (begin == std::string_view::npos) {
    rest = {};
    return {};
  }
  rest.remove_prefix(begin);
  const std::size_t end = rest.find_first_of(" \t");
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(word.size());
  return word;
}

/// Cuts everything up to `separator` off `rest`; the whole of it when there is none.
inline std::string_view next_field(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view field = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return field;
}

inline std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

/// The whole of `text` as a number of `base`; a sign is taken only for signed types; overflow, an
/// empty text or anything left over is no number.
template <std::integral T>
std::optional<T> number(std::string_view text, int base = 10) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

/// A hexadecimal number, with or without "0x".
inline std::optional<std::uint64_t> hex(std::string_view text) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  return number<std::uint64_t>(text, 16);
}

/// The value of "KEY:  value" in a file of such lines; empty when there is no such line.
inline std::string_view value_of(std::string_view text, std::string_view key) {
  std::string_view line;
  while (next_line(text, line)) {
    if (line.size() > key.size() && line[key.size()] == ':' && line.starts_with(key)) {
      return trim(line.substr(key.size() + 1));
    }
  }
  return {};
}

/// The bytes of "KEY:  1234 kB". Saturates instead of wrapping.
inline std::optional<std::uint64_t> kilobytes(std::string_view value) {
  const auto count = number<std::uint64_t>(next_word(value));
  if (!count) return std::nullopt;
  return *count > (UINT64_MAX >> 10) ? UINT64_MAX : *count << 10;
}

/// Replaces \ooo (three octal digits) by its byte, as fs/seq_file.c mangle_path() wrote it. With
/// `only` not 0, no other byte than that one is replaced: files whose escape set does not hold the
/// backslash itself leave "\040" in a name as it is.
inline std::string unescape_octal(std::string_view text, char only = 0) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      const auto value = number<unsigned>(text.substr(i + 1, 3), 8);
      if (value && *value < 256 && (only == 0 || *value == static_cast<unsigned char>(only))) {
        out.push_back(static_cast<char>(*value));
        i += 3;
        continue;
      }
    }
    out.push_back(text[i]);
  }
  return out;
}

}  // namespace doppel::text

#endif  // DOPPEL_SNAPSHOT_LINUX_TEXT_SCAN_H_
