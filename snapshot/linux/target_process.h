// SPDX-License-Identifier: Apache-2.0
//
// The process to capture, held by a pidfd and by its /proc directory from the first step on:
// whatever happens to the number afterwards, these mean that process or nothing.
#ifndef DOPPEL_SNAPSHOT_LINUX_TARGET_PROCESS_H_
#define DOPPEL_SNAPSHOT_LINUX_TARGET_PROCESS_H_

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include <snapshot/support/result.h>
#include <snapshot/support/sys.h>
#include <snapshot/support/unique_fd.h>

namespace doppel {

class TargetProcess {
 public:
  /// Errc::gone when there is no such process.
  static Result<TargetProcess> open(Sys& sys, pid_t pid);

  pid_t pid() const { return pid_; }

  int pidfd() const { return pidfd_.get(); }

  int directory() const { return directory_.get(); }

  int tasks() const { return tasks_.get(); }

  /// The ids of its threads now.
  Result<std::vector<pid_t>> threads() const;
  /// How many threads it has now, without listing them: the link count of its task directory
  /// (fs/proc/base.c, proc_task_getattr).
  Result<std::size_t> thread_count() const;
  /// Reads a file below its /proc directory into `to`; returns the part filled. Does not allocate.
  Result<std::span<char>> read_into(const char* name, std::span<char> to) const;
  /// Opens a file below its /proc directory for reading.
  Result<UniqueFd> open_file(const char* name) const;
  /// True once the process has ended (all of it; a zombie counts).
  bool ended() const;

 private:
  explicit TargetProcess(Sys& sys) : sys_(&sys) {}

  Sys* sys_;
  pid_t pid_ = 0;
  UniqueFd pidfd_;
  UniqueFd directory_;
  UniqueFd tasks_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_TARGET_PROCESS_H_
