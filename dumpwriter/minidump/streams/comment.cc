// SPDX-License-Identifier: Apache-2.0
//
// CommentA: text for people, NUL at the end. How the dump was taken, and what it does not hold.
#include <array>
#include <charconv>

#include <dumpwriter/minidump/records.h>
#include <dumpwriter/minidump/streams/streams.h>

namespace doppel::minidump {

namespace {

// So that a hostile map cannot make it large; the manifest has all of them.
constexpr std::size_t kMostLines = 1000;

std::string hex(std::uint64_t value) {
  std::array<char, 16> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return "0x" + std::string(digits.data(), end);
}

void put_line(std::string_view name, std::string_view value, std::string& text) {
  if (value.empty()) return;
  text.append(name).append(": ").append(value).append("\n");
}

}  // namespace

void add_comment(const Facts& facts, MinidumpBuilder& builder) {
  const ProcessInfo& process = facts.image.process;
  std::string text;
  put_line("writer", process.tool, text);
  put_line("engine", process.engine, text);
  put_line("consistency", process.consistency, text);
  if (process.windows && !process.windows->comment.empty()) {
    text += process.windows->comment;
    if (text.back() != '\n') text += '\n';
  }
  std::size_t lines = 0;
  for (const auto* list : {&facts.image.omissions, &facts.selection.omissions}) {
    for (const Omission& omission : *list) {
      if (++lines > kMostLines) continue;
      std::string value = omission.what;
      if (omission.range.size > 0) {
        value += " " + hex(omission.range.begin.value) + " size " + hex(omission.range.size);
      }
      put_line("omitted", value + ", " + omission.why, text);
    }
  }
  for (const TornRange& torn : facts.image.torn) {
    if (++lines > kMostLines) continue;
    put_line("not of the instant",
             hex(torn.range.begin.value) + " size " + hex(torn.range.size) + ", " + torn.why, text);
  }
  if (lines > kMostLines) put_line("and more", std::to_string(lines - kMostLines), text);
  if (text.empty()) return;
  RecordWriter body;
  body.text(text).u8(0);
  builder.add_stream(stream_type::kCommentA, body);
}

}  // namespace doppel::minidump
