// SPDX-License-Identifier: Apache-2.0
//
// Where text that others chose stops being UTF-8.
#ifndef DOPPEL_SNAPSHOT_SUPPORT_UTF8_H_
#define DOPPEL_SNAPSHOT_SUPPORT_UTF8_H_

#include <cstddef>
#include <string_view>

namespace doppel {

/// Length in bytes of the character that `text` begins with; 0 if it begins with none: empty, cut
/// short, overlong, a surrogate or beyond U+10FFFF (Unicode 15, table 3-7).
inline std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto within = [&](std::size_t i, unsigned low, unsigned high) {
    return at(i) >= low && at(i) <= high;
  };
  const unsigned first = at(0);
  if (text.empty()) return 0;
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return within(1, 0x80, 0xbf) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned low = first == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = first == 0xed ? 0x9f : 0xbf;
    return within(1, low, high) && within(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned low = first == 0xf0 ? 0x90 : 0x80;
    const unsigned high = first == 0xf4 ? 0x8f : 0xbf;
    const bool tail = within(2, 0x80, 0xbf) && within(3, 0x80, 0xbf);
    return within(1, low, high) && tail ? 4 : 0;
  }
  return 0;
}

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_SUPPORT_UTF8_H_
