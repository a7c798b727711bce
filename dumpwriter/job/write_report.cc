// SPDX-License-Identifier: Apache-2.0
#include <cinttypes>
#include <cstdio>
#include <string_view>

#include <dumpwriter/job/write_report.h>

namespace doppel {
namespace {

void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7F) {
      // Bytes beyond ASCII may be no UTF-8 at all; shown one by one they stay valid JSON.
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", byte);
      out += escaped;
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_number(std::string& out, std::string_view key, std::uint64_t value) {
  append_string(out, key);
  out += ':';
  out += std::to_string(value);
}

}  // namespace

std::string write_report_json(const WriteReport& report) {
  std::string out = "{\"schema\":1,\"complete\":";
  out += report.cut_short ? "false" : "true";
  out += ",\"cut_short\":";
  if (report.cut_short) {
    append_string(out, report.cut_reason);
  } else {
    out += "null";
  }
  out += ',';
  append_number(out, "core_bytes", report.core_bytes);
  out += ',';
  append_number(out, "planned_bytes", report.planned_bytes);
  out += ',';
  append_number(out, "memory_bytes", report.memory_bytes);
  out += ',';
  append_number(out, "zero_filled_pages", report.zero_filled_pages);
  out += ",\"zero_filled\":[";
  bool first = true;
  for (const ZeroFilled& filled : report.zero_filled) {
    if (!first) out += ',';
    first = false;
    char address[24];
    std::snprintf(address, sizeof address, "0x%" PRIx64, filled.range.begin.value);
    out += "{\"address\":";
    append_string(out, address);
    out += ',';
    append_number(out, "size", filled.range.size);
    out += ",\"why\":";
    append_string(out, filled.why);
    out += '}';
  }
  out += "]}";
  return out;
}

}  // namespace doppel
