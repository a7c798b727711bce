// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <ctime>

#include <cli/dump_name.h>

namespace doppel {

std::string reduce_comm(std::string_view comm) {
  std::string out;
  for (const char c : comm) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
    out += plain ? c : '_';
  }
  const std::size_t start = out.find_first_not_of(".-");
  return start == out.npos ? "process" : out.substr(start);
}

std::string default_dump_name(std::string_view comm, std::int32_t pid, std::int64_t seconds,
                              bool compressed, unsigned attempt, std::string_view kind) {
  const std::time_t time = seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  return fmt::format(
      "{}.{}.{:04}{:02}{:02}T{:02}{:02}{:02}Z{}.{}{}", reduce_comm(comm), pid, parts.tm_year + 1900,
      parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
      attempt == 0 ? std::string() : fmt::format("-{}", attempt), kind, compressed ? ".zst" : "");
}

std::string dump_path(std::string_view given, bool is_directory, std::string_view default_name) {
  if (given.empty()) return std::string(default_name);
  if (!is_directory && !given.ends_with('/')) return std::string(given);
  std::string path(given);
  if (!path.ends_with('/')) path += '/';
  return path.append(default_name);
}

}  // namespace doppel
