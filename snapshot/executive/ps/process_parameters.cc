// SPDX-License-Identifier: Apache-2.0
//
// The parameter block: head, then the strings, each with its terminator, then the environment.
#include <cassert>
#include <cstring>
#include <limits>
#include <utility>

#include <snapshot/executive/ps/process_parameters.h>
#include <snapshot/support/utf8.h>

namespace doppel {
namespace {

constexpr std::size_t kHeadSize = 0x448;
constexpr std::uint32_t kNormalised = 1;  ///< RTL_USER_PROC_PARAMS_NORMALIZED: pointers, no offsets

/// Takes the first character off `text`, or one byte of what is none.
std::uint32_t take_code_point(std::string_view& text) {
  const std::size_t length = utf8_length(text);
  std::uint32_t point = static_cast<unsigned char>(text[0]);
  if (length == 0) point = 0xFFFD;
  if (length > 1) point &= 0x7Fu >> length;
  for (std::size_t i = 1; i < length; ++i)
    point = point << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
  text.remove_prefix(length == 0 ? 1 : length);
  return point;
}

bool fits(std::u16string_view wide) {
  return (wide.size() + 1) * 2 <= std::numeric_limits<std::uint16_t>::max();
}

/// Grows a block and remembers where it will lie.
class Block {
 public:
  explicit Block(std::uint64_t base) : base_(base), bytes_(kHeadSize) {}

  template <typename T>
  void put(std::size_t at, T value) {
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }

  /// Appends text with its terminator; the address of its first unit.
  std::uint64_t append(std::u16string_view text) {
    while (bytes_.size() % 8 != 0) bytes_.push_back(std::byte{0});
    const std::size_t at = bytes_.size();
    bytes_.resize(at + (text.size() + 1) * 2);
    std::memcpy(bytes_.data() + at, text.data(), text.size() * 2);
    return base_ + at;
  }

  void put_string(std::size_t at, std::string_view text) {
    const std::u16string wide = utf16_of(text);
    assert(fits(wide));
    const std::uint16_t size = static_cast<std::uint16_t>(wide.size() * 2);
    put(at, size);
    put(at + 2, static_cast<std::uint16_t>(size + 2));
    put(at + 8, append(wide));
  }

  std::size_t size() const { return bytes_.size(); }

  std::vector<std::byte> take() && { return std::move(bytes_); }

 private:
  std::uint64_t base_;
  std::vector<std::byte> bytes_;
};

}  // namespace

bool parameters_fit(const ProcessParameters& parameters) {
  return fits(utf16_of(parameters.current_directory)) && fits(utf16_of(parameters.dll_path)) &&
         fits(utf16_of(parameters.image_path)) && fits(utf16_of(parameters.command_line));
}

std::vector<std::byte> build_parameters(const ProcessParameters& parameters, std::uint64_t base) {
  Block block(base);
  block.put(8, parameters.flags | kNormalised);
  block.put(0x20, parameters.standard_input);
  block.put(0x28, parameters.standard_output);
  block.put(0x30, parameters.standard_error);
  block.put_string(0x38, parameters.current_directory);
  block.put_string(0x50, parameters.dll_path);
  block.put_string(0x60, parameters.image_path);
  block.put_string(0x70, parameters.command_line);
  std::u16string environment;
  for (const std::string& variable : parameters.environment)
    environment += utf16_of(variable) + u'\0';
  if (environment.empty()) environment += u'\0';
  block.put(0x80, block.append(environment));  // append() adds the second terminator
  block.put(0x3F0, std::uint64_t{(environment.size() + 1) * 2});
  block.put(0, static_cast<std::uint32_t>(block.size()));
  block.put(4, static_cast<std::uint32_t>(block.size()));
  return std::move(block).take();
}

std::size_t parameters_size(const ProcessParameters& parameters) {
  return build_parameters(parameters, 0).size();
}

std::u16string utf16_of(std::string_view text) {
  std::u16string wide;
  while (!text.empty()) {
    const std::uint32_t point = take_code_point(text);
    if (point < 0x10000) {
      wide += static_cast<char16_t>(point);
    } else {
      wide += static_cast<char16_t>(0xD800 + ((point - 0x10000) >> 10));
      wide += static_cast<char16_t>(0xDC00 + ((point - 0x10000) & 0x3FF));
    }
  }
  return wide;
}

std::string utf8_of(std::u16string_view text) {
  std::string narrow;
  const auto put = [&](unsigned value) { narrow += static_cast<char>(value); };
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::uint32_t point = text[at];
    const bool high = point >= 0xD800 && point < 0xDC00;
    if (high && at + 1 < text.size() && text[at + 1] >= 0xDC00 && text[at + 1] < 0xE000) {
      point = 0x10000 + ((point - 0xD800) << 10) + (text[++at] - 0xDC00u);
    } else if (point >= 0xD800 && point < 0xE000) {
      point = 0xFFFD;
    }
    if (point < 0x80) {
      put(point);
    } else if (point < 0x800) {
      put(0xC0 | point >> 6);
      put(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
      put(0xE0 | point >> 12);
      put(0x80 | (point >> 6 & 0x3F));
      put(0x80 | (point & 0x3F));
    } else {
      put(0xF0 | point >> 18);
      put(0x80 | (point >> 12 & 0x3F));
      put(0x80 | (point >> 6 & 0x3F));
      put(0x80 | (point & 0x3F));
    }
  }
  return narrow;
}

}  // namespace doppel
