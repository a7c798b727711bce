// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cassert>
#include <charconv>

#include <dumpwriter/elf/json_writer.h>
#include <snapshot/support/utf8.h>

namespace doppel {

namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

template <class T>
void append_number(std::string& to, T value, int base = 10) {
  std::array<char, 24> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, base);
  to.append(buffer.data(), end.ptr);
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void JsonWriter::begin_object(std::string_view key) {
  put_key(key);
  comma_ = false;
  begin_object();
}

void JsonWriter::begin_array(std::string_view key) {
  put_key(key);
  comma_ = false;
  begin_array();
}

void JsonWriter::text(std::string_view key, std::string_view value) {
  put_key(key);
  put_string(value);
  if (is_utf8(value)) return;
  put_key(std::string(key) + "_bytes");
  put_hex_digits(std::as_bytes(std::span(value)));
}

void JsonWriter::number(std::string_view key, std::uint64_t value) {
  put_key(key);
  append_number(out_, value);
}

void JsonWriter::signed_number(std::string_view key, std::int64_t value) {
  put_key(key);
  append_number(out_, value);
}

void JsonWriter::boolean(std::string_view key, bool value) {
  put_key(key);
  out_ += value ? "true" : "false";
}

void JsonWriter::null(std::string_view key) {
  put_key(key);
  out_ += "null";
}

void JsonWriter::hex(std::string_view key, std::uint64_t value) {
  put_key(key);
  out_ += "\"0x";
  append_number(out_, value, 16);
  out_ += '"';
}

void JsonWriter::bytes(std::string_view key, std::span<const std::byte> value) {
  put_key(key);
  put_hex_digits(value);
}

void JsonWriter::begin_object() {
  separate();
  out_ += '{';
  comma_ = false;
  ++depth_;
}

void JsonWriter::begin_array() {
  separate();
  out_ += '[';
  comma_ = false;
  ++depth_;
}

void JsonWriter::text(std::string_view value) {
  if (!is_utf8(value)) {
    begin_object();
    put_key("text");
    put_string(value);
    bytes("bytes", std::as_bytes(std::span(value)));
    end_object();
    return;
  }
  separate();
  put_string(value);
  comma_ = true;
}

void JsonWriter::end_object() {
  assert(depth_ > 0);
  --depth_;
  out_ += '}';
  comma_ = true;
}

void JsonWriter::end_array() {
  assert(depth_ > 0);
  --depth_;
  out_ += ']';
  comma_ = true;
}

std::string JsonWriter::take() && {
  assert(depth_ == 0);
  return std::move(out_);
}

void JsonWriter::separate() {
  if (comma_) out_ += ',';
}

void JsonWriter::put_key(std::string_view key) {
  separate();
  out_ += '"';
  out_ += key;
  out_ += "\":";
  comma_ = true;
}

void JsonWriter::put_string(std::string_view value) {
  out_ += '"';
  while (!value.empty()) {
    const std::size_t length = utf8_length(value);
    if (length == 0) {
      out_ += "\xef\xbf\xbd";  // U+FFFD
      value.remove_prefix(1);
      continue;
    }
    const char first = value.front();
    if (first == '"' || first == '\\') {
      out_ += '\\';
      out_ += first;
    } else if (first == '\n') {
      out_ += "\\n";
    } else if (first == '\t') {
      out_ += "\\t";
    } else if (static_cast<unsigned char>(first) < 0x20 || first == 0x7f) {
      out_ += "\\u00";
      out_ += kDigits[static_cast<unsigned char>(first) >> 4];
      out_ += kDigits[static_cast<unsigned char>(first) & 15];
    } else {
      out_ += value.substr(0, length);
    }
    value.remove_prefix(length);
  }
  out_ += '"';
}

void JsonWriter::put_hex_digits(std::span<const std::byte> value) {
  out_ += '"';
  out_.reserve(out_.size() + value.size() * 2 + 1);
  for (const std::byte each : value) {
    out_ += kDigits[std::to_integer<unsigned>(each) >> 4];
    out_ += kDigits[std::to_integer<unsigned>(each) & 15];
  }
  out_ += '"';
}

}  // namespace doppel
