// SPDX-License-Identifier: Apache-2.0
//
// The text of /proc/PID/fdinfo and of the socket tables in /proc/PID/net. Pure functions: text in,
// values out; any text gives an answer.
//
// It must not know whose descriptors these are.
#ifndef DOPPEL_SNAPSHOT_LINUX_HANDLE_PARSER_H_
#define DOPPEL_SNAPSHOT_LINUX_HANDLE_PARSER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace doppel {

/// /proc/PID/fdinfo/N (fs/proc/fd.c seq_show(), and what each kind of file adds).
struct FdInfo {
  std::uint64_t position = 0;
  std::uint64_t flags = 0;  ///< O_ flags
  /// userfaultfd: the features it was opened with (fs/userfaultfd.c userfaultfd_show_fdinfo()).
  std::optional<std::uint64_t> userfault_features;
  /// io_uring: bytes in registered buffers, which are pinned (io_uring/fdinfo.c). 0 where the
  /// kernel could not say because the ring was busy.
  std::uint64_t registered_buffers = 0;
};

FdInfo parse_fdinfo(std::string_view text);

/// The kind of a descriptor, from the name that /proc/PID/fd/N shows and its open flags: "file",
/// "directory", "device", "socket", "pipe", "memfd", "namespace", and for files without a name what
/// the kernel calls them: "eventfd", "epoll", "timerfd", "signalfd", "inotify", "userfaultfd",
/// "io_uring", "pidfd", "bpf-map", "kvm-vm", ...
std::string handle_kind(std::string_view link, std::uint64_t flags);

/// The inode in "socket:[4711]".
std::optional<std::uint64_t> socket_inode(std::string_view link);

/// A socket as its table shows it.
struct SocketEntry {
  std::uint64_t inode = 0;
  std::string text;  ///< "tcp 127.0.0.1:80 -> 10.0.0.1:4000 established", "unix stream /run/x"
};

/// One line of /proc/PID/net/{tcp,tcp6,udp,udp6,udplite,raw,raw6,...}; `protocol` is what the text
/// begins with. Empty for the heading and for lines that do not follow the format.
std::optional<SocketEntry> parse_inet_line(std::string_view line, std::string_view protocol);

/// One line of /proc/PID/net/unix.
std::optional<SocketEntry> parse_unix_line(std::string_view line);

/// One line of /proc/PID/net/{netlink,packet}: only the inode, in the last (`netlink`) or ninth
/// (`packet`) column, tells something; the text is the name of the table.
std::optional<SocketEntry> parse_other_line(std::string_view line, std::string_view table);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_HANDLE_PARSER_H_
