// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <optional>

#include <dumpwriter/read/minidump_maps.h>

namespace doppel {

namespace {

/// Takes a number and the one character behind it off `line`.
template <class T>
bool take_number(std::string_view& line, int base, char after, T& value) {
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value, base);
  if (error != std::errc{} || end == line.data() + line.size() || *end != after) return false;
  line.remove_prefix(static_cast<std::size_t>(end - line.data()) + 1);
  return true;
}

Backing backing_of(const Region& region) {
  const std::string_view path = region.path;
  if (path == "[vdso]") return Backing::vdso;
  if (path.starts_with("[vvar")) return Backing::vvar;
  if (path == "[vsyscall]") return Backing::vsyscall;
  if (path.empty() || path.front() == '[') return Backing::anonymous;
  for (const std::string_view memory : {"/memfd:", "/dev/zero", "/SYSV", "/dev/shm/"}) {
    if (path.starts_with(memory) && (region.deleted || memory == "/memfd:")) {
      return Backing::shared_memory;
    }
  }
  return path.starts_with("/dev/") && !path.starts_with("/dev/shm/") ? Backing::device
                                                                     : Backing::file;
}

// 55d0-55d8 r-xp 00000000 08:01 42      /usr/bin/server (deleted)
std::optional<Region> parse_line(std::string_view line) {
  Region region;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  if (!take_number(line, 16, '-', begin) || !take_number(line, 16, ' ', end)) return std::nullopt;
  if (line.size() < 5 || line[4] != ' ') return std::nullopt;
  region.range = {{begin}, end - begin};
  if (end <= begin) return std::nullopt;
  region.access = {.read = line[0] == 'r', .write = line[1] == 'w', .execute = line[2] == 'x'};
  region.sharing = line[3] == 's' ? Sharing::shared : Sharing::private_copy;
  line.remove_prefix(5);
  if (!take_number(line, 16, ' ', region.file_offset) ||
      !take_number(line, 16, ':', region.device_major) ||
      !take_number(line, 16, ' ', region.device_minor)) {
    return std::nullopt;
  }
  const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), region.inode);
  if (error != std::errc{}) return std::nullopt;
  line.remove_prefix(static_cast<std::size_t>(rest - line.data()));
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  constexpr std::string_view kDeleted = " (deleted)";
  if (line.ends_with(kDeleted)) {
    region.deleted = true;
    line.remove_suffix(kDeleted.size());
  }
  constexpr std::string_view kLineFeed = "\\012";
  while (!line.empty()) {
    const bool escape = line.starts_with(kLineFeed);
    region.path += escape ? '\n' : line.front();
    line.remove_prefix(escape ? kLineFeed.size() : 1);
  }
  region.traits.stack = region.path == "[stack]";
  region.backing = backing_of(region);
  return region;
}

}  // namespace

std::vector<Region> parse_maps_text(std::string_view text) {
  std::vector<Region> regions;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (auto region = parse_line(text.substr(0, end))) regions.push_back(std::move(*region));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return regions;
}

}  // namespace doppel
