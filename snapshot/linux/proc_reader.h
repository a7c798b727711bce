// SPDX-License-Identifier: Apache-2.0
//
// Opens the files that the parsers parse. A ProcDir holds a descriptor of /proc/PID itself: when
// the process dies and its number is given to another, every use of the old ProcDir fails with
// Errc::gone, and never answers for the stranger.
//
// It must not know what stands in the files.
#ifndef DOPPEL_SNAPSHOT_LINUX_PROC_READER_H_
#define DOPPEL_SNAPSHOT_LINUX_PROC_READER_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <snapshot/linux/maps_parser.h>
#include <snapshot/support/result.h>
#include <snapshot/support/sys.h>
#include <snapshot/support/unique_fd.h>

namespace doppel {

/// A file that is longer than this is refused (Errc::limit) unless the caller says otherwise: 4
/// MiB.
inline constexpr std::size_t kProcFileLimit = 4u << 20;

/// Reads all of `fd` from where it stands. `subject` names it in errors.
Result<std::string> read_whole(Sys& sys, int fd, std::string_view subject,
                               std::size_t limit = kProcFileLimit);

/// A file of the system as a whole: "/proc/meminfo", "/sys/fs/cgroup/.../memory.max".
Result<std::string> read_system_file(Sys& sys, const char* path,
                                     std::size_t limit = kProcFileLimit);

/// smaps or maps behind `fd`, parsed while it is read from where it stands: the text of 60 000
/// mappings is 50 MB, what it says a fifth of that.
Result<Smaps> read_smaps(Sys& sys, int fd, std::string_view subject);

/// The names in the directory behind `fd`, without "." and "..", in the kernel's order.
Result<std::vector<std::string>> list_directory(Sys& sys, int fd, std::string_view subject);

/// Errors of every member: Errc::gone when the process or thread is no more; Errc::denied;
/// Errc::unsupported with ENOENT for a file that this kernel does not have. Not thread-safe on one
/// object only in that it may not be moved from while used; the calls themselves share no state.
class ProcDir {
 public:
  /// `/proc/PID`. Also answers for the id of a thread that is not the leader, as /proc does. With
  /// `proc` another mount of proc can be named.
  static Result<ProcDir> open(Sys& sys, pid_t pid, const char* proc = "/proc");

  /// `/proc/PID/task/TID`.
  Result<ProcDir> task(pid_t tid) const;

  pid_t id() const { return id_; }

  int fd() const { return fd_.get(); }

  /// The whole of a file: "status", "ns/pid".
  Result<std::string> read_text(const char* name, std::size_t limit = kProcFileLimit) const;

  /// Hands a file out as it is read, for those that may be huge. Stops at the first error of
  /// `take`, and returns it.
  Result<> read_pieces(const char* name,
                       const std::function<Result<>(std::string_view piece)>& take) const;

  /// "smaps" or "maps", parsed while it is read.
  Result<Smaps> read_smaps(const char* name = "smaps") const;

  /// The target of a symbolic link: "exe", "fd/3", "ns/user".
  Result<std::string> read_link(const char* name) const;

  /// Opens a file of the directory; O_CLOEXEC is added.
  Result<UniqueFd> open_file(const char* name, int flags) const;

  /// Ids of the process's threads at this moment, in the kernel's order: the leader first.
  Result<std::vector<pid_t>> list_tasks() const;

  /// Numbers of its open descriptors at this moment.
  Result<std::vector<int>> list_descriptors() const;

 private:
  ProcDir(Sys& sys, pid_t id, UniqueFd fd) : sys_(&sys), id_(id), fd_(std::move(fd)) {}

  /// What `os`, an errno from using `name`, means.
  std::unexpected<Error> failure(int os, const char* step, const char* name) const;
  Result<std::vector<std::string>> list(const char* name) const;

  Sys* sys_;
  pid_t id_;
  UniqueFd fd_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_PROC_READER_H_
