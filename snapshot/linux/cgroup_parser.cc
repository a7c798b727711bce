// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <snapshot/linux/cgroup_parser.h>
#include <snapshot/linux/text_scan.h>

namespace doppel {
namespace {

/// `path` below `root` as a path below `point`; empty when it is not below it.
std::optional<std::string> rebase(std::string_view path, std::string_view root,
                                  std::string_view point) {
  // A path with ".." leads out of the cgroup namespace that the hierarchy was mounted in.
  if (path.starts_with("/..") || root.starts_with("/..")) return std::nullopt;
  if (root != "/") {
    if (!path.starts_with(root)) return std::nullopt;
    path.remove_prefix(root.size());
    if (!path.empty() && path.front() != '/') return std::nullopt;
  }
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(point) + std::string(path);
}

}  // namespace

std::vector<CgroupEntry> parse_cgroup(std::string_view text) {
  std::vector<CgroupEntry> entries;
  std::string_view line;
  while (text::next_line(text, line)) {
    CgroupEntry entry;
    const auto hierarchy = text::number<std::uint32_t>(text::next_field(line, ':'));
    std::string_view controllers = text::next_field(line, ':');
    // The path may hold colons: it is all the rest.
    if (!hierarchy || !line.starts_with('/')) continue;
    entry.hierarchy = *hierarchy;
    while (!controllers.empty()) {
      entry.controllers.emplace_back(text::next_field(controllers, ','));
    }
    // A cgroup that was removed under a living process: no directory any more.
    constexpr std::string_view kDeleted = " (deleted)";
    if (line.ends_with(kDeleted)) line.remove_suffix(kDeleted.size());
    entry.path = line;
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<Mount> parse_mountinfo(std::string_view text) {
  std::vector<Mount> mounts;
  std::string_view line;
  while (text::next_line(text, line)) {
    Mount mount;
    text::next_word(line);  // id
    text::next_word(line);  // parent
    std::string_view device = text::next_word(line);
    const auto major = text::number<std::uint32_t>(text::next_field(device, ':'));
    const auto minor = text::number<std::uint32_t>(device);
    mount.root = text::unescape_octal(text::next_word(line));
    mount.point = text::unescape_octal(text::next_word(line));
    mount.options = text::next_word(line);
    // Any number of optional fields, then a lone hyphen.
    std::string_view word;
    do {
      word = text::next_word(line);
    } while (!word.empty() && word != "-");
    mount.type = text::next_word(line);
    mount.source = text::unescape_octal(text::next_word(line));
    mount.super_options = text::next_word(line);
    if (!major || !minor || mount.root.empty() || mount.point.empty() || mount.type.empty()) {
      continue;
    }
    mount.device_major = *major;
    mount.device_minor = *minor;
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

bool has_option(std::string_view options, std::string_view option) {
  while (!options.empty()) {
    if (text::next_field(options, ',') == option) return true;
  }
  return false;
}

std::optional<CgroupDirectory> find_cgroup(const std::vector<CgroupEntry>& entries,
                                           const std::vector<Mount>& mounts,
                                           std::string_view controller) {
  const auto has = [&](const CgroupEntry& entry) {
    return std::ranges::find(entry.controllers, controller) != entry.controllers.end();
  };
  auto entry = std::ranges::find_if(entries, has);
  if (entry == entries.end()) entry = std::ranges::find(entries, 0u, &CgroupEntry::hierarchy);
  if (entry == entries.end()) return std::nullopt;
  const bool unified = entry->hierarchy == 0;
  // The last mount wins: one that covers an earlier one stands behind it in the list.
  std::optional<CgroupDirectory> found;
  for (const Mount& mount : mounts) {
    const bool fits = unified
                          ? mount.type == "cgroup2"
                          : mount.type == "cgroup" && has_option(mount.super_options, controller);
    if (!fits) continue;
    if (auto path = rebase(entry->path, mount.root, mount.point)) {
      found = CgroupDirectory{std::move(*path), mount.point, unified};
    }
  }
  return found;
}

}  // namespace doppel
