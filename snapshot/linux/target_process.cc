// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>

#include <cerrno>

#include <snapshot/linux/proc_directory.h>
#include <snapshot/linux/target_process.h>

namespace doppel {

Result<TargetProcess> TargetProcess::open(Sys& sys, pid_t pid) {
  TargetProcess target(sys);
  target.pid_ = pid;
  const std::string name = std::to_string(pid);
  // EINVAL: a number that no process can have, or a thread's that leads no process.
  const long pidfd = sys.pidfd_open(pid);
  if (pidfd == -EINVAL) return fail(Errc::gone, "open process", name, EINVAL);
  DOPPEL_TRY(check(pidfd, "open process", name));
  target.pidfd_.reset(static_cast<int>(pidfd));
  const std::string path = "/proc/" + name;
  const long directory = sys.openat(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY);
  if (directory == -ENOENT) return fail(Errc::gone, "open process", name, ENOENT);
  DOPPEL_TRY(check(directory, "open process directory", path));
  target.directory_.reset(static_cast<int>(directory));
  const long tasks = sys.openat(target.directory_.get(), "task", O_RDONLY | O_DIRECTORY);
  DOPPEL_TRY(check(tasks, "open thread directory", path));
  target.tasks_.reset(static_cast<int>(tasks));
  // Alive after the directory was opened: pidfd and directory mean the same process.
  if (target.ended()) return fail(Errc::gone, "open process", name, ESRCH);
  return target;
}

bool TargetProcess::ended() const {
  pollfd poll{pidfd_.get(), POLLIN, 0};
  return sys_->poll(&poll, 1, 0) > 0;
}

Result<std::vector<pid_t>> TargetProcess::threads() const {
  Result<std::vector<pid_t>> result = list_numbers(*sys_, tasks_.get());
  if (!result) {
    return fail(result.error().code, "list threads", std::to_string(pid_), result.error().os);
  }
  if (result->empty()) return fail(Errc::gone, "list threads", std::to_string(pid_));
  return result;
}

Result<std::size_t> TargetProcess::thread_count() const {
  struct stat info{};
  DOPPEL_TRY(check(sys_->fstat(tasks_.get(), &info), "count threads", std::to_string(pid_)));
  return info.st_nlink < 2 ? std::size_t{0} : static_cast<std::size_t>(info.st_nlink - 2);
}

Result<UniqueFd> TargetProcess::open_file(const char* name) const {
  const long fd = DOPPEL_TRY(check(sys_->openat(directory_.get(), name, O_RDONLY), "open", name));
  return UniqueFd(static_cast<int>(fd));
}

Result<std::span<char>> TargetProcess::read_into(const char* name, std::span<char> to) const {
  const UniqueFd file = DOPPEL_TRY(open_file(name));
  std::size_t filled = 0;
  while (filled < to.size()) {
    const long size = sys_->read(file.get(), to.data() + filled, to.size() - filled);
    DOPPEL_TRY(check(size, "read", name));
    if (size == 0) break;
    filled += static_cast<std::size_t>(size);
  }
  return to.first(filled);
}

}  // namespace doppel
