// SPDX-License-Identifier: Apache-2.0
//
// Where a process's cgroups are: /proc/PID/cgroup says which, /proc/self/mountinfo says where each
// hierarchy is mounted here; together they give directories. v1, v2 and both at once.
//
// Pure functions; it must not know what is in the directories.
#ifndef DOPPEL_SNAPSHOT_LINUX_CGROUP_PARSER_H_
#define DOPPEL_SNAPSHOT_LINUX_CGROUP_PARSER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace doppel {

/// A line of /proc/PID/cgroup (kernel/cgroup/cgroup.c proc_cgroup_show()).
struct CgroupEntry {
  std::uint32_t hierarchy = 0;           ///< 0: the unified hierarchy (v2)
  std::vector<std::string> controllers;  ///< v1: "cpu", "cpuacct", "name=systemd"; v2: empty
  std::string path;                      ///< as seen from the reader's cgroup namespace
  bool operator==(const CgroupEntry&) const = default;
};

std::vector<CgroupEntry> parse_cgroup(std::string_view text);

/// A line of /proc/PID/mountinfo (fs/proc_namespace.c show_mountinfo()).
struct Mount {
  std::uint32_t device_major = 0, device_minor = 0;
  std::string root;   ///< which directory of the file system is mounted
  std::string point;  ///< where
  std::string type;   ///< "cgroup2"
  std::string source;
  std::string options;        ///< of the mount
  std::string super_options;  ///< of the file system: for v1 its controllers
  bool operator==(const Mount&) const = default;
};

/// Lines that do not follow the format are left out.
std::vector<Mount> parse_mountinfo(std::string_view text);

/// True when `option` stands in a comma-separated list.
bool has_option(std::string_view options, std::string_view option);

struct CgroupDirectory {
  std::string path;   ///< where its files can be opened
  std::string mount;  ///< the hierarchy's mount point: the highest directory that can be seen
  bool unified = false;
};

/// The directory that holds the files of `controller` ("memory", "pids") for these entries: in the
/// v1 hierarchy that has it, otherwise the unified one. Empty when none is mounted where it can be
/// seen, or the process lives above what is mounted here ("/.." in its path).
std::optional<CgroupDirectory> find_cgroup(const std::vector<CgroupEntry>& entries,
                                           const std::vector<Mount>& mounts,
                                           std::string_view controller);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_CGROUP_PARSER_H_
