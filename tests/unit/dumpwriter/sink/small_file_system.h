// SPDX-License-Identifier: Apache-2.0
//
// A real file system that is soon full: a tmpfs of 1 MiB in a mount namespace of a child's own, so
// nothing outside ever sees it.
#ifndef DOPPEL_TESTS_UNIT_DUMPWRITER_SINK_SMALL_FILE_SYSTEM_H_
#define DOPPEL_TESTS_UNIT_DUMPWRITER_SINK_SMALL_FILE_SYSTEM_H_

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace doppel::test {

/// Runs `body` in a child that has a tmpfs of 1 MiB at `at`, in a mount namespace of its own; its
/// answer is the child's exit status. 77: no such namespace can be had here.
inline int in_small_file_system(const std::string& at, int (*body)(const std::string&)) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ::_exit(77);
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) ::_exit(77);
    if (::mount("doppel-test", at.c_str(), "tmpfs", 0, "size=1m") != 0) ::_exit(77);
    ::_exit(body(at));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

}  // namespace doppel::test

#endif  // DOPPEL_TESTS_UNIT_DUMPWRITER_SINK_SMALL_FILE_SYSTEM_H_
