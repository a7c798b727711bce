// SPDX-License-Identifier: Apache-2.0
//
// The real system, except for the calls that a test answers itself.
#ifndef DOPPEL_TESTS_UNIT_SNAPSHOT_LINUX_SCRIPTED_SYS_H_
#define DOPPEL_TESTS_UNIT_SNAPSHOT_LINUX_SCRIPTED_SYS_H_

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <snapshot/support/sys.h>

namespace doppel {

class ScriptedSys : public Sys {
 public:
  /// Sees every call first; an answer stands for the kernel's.
  std::function<std::optional<long>(long number, long a, long b, long c)> hook;

  /// Files that are not the system's: opened by this name (absolute, or relative to a directory of
  /// /proc, as it is passed), they hold this text; without a text they answer with that errno.
  struct Text {
    std::string text;
    int error = 0;
  };

  std::map<std::string, Text> files;

  int calls = 0;
  /// Fails the n-th call (from 1) with EIO; 0: none.
  int fail_at = 0;

  long invoke(long number, long a, long b, long c, long d, long e, long f) override {
    if (++calls == fail_at) return -EIO;
    if (hook) {
      if (const auto answer = hook(number, a, b, c)) return *answer;
    }
    if (number == SYS_openat) {
      const auto file = files.find(reinterpret_cast<const char*>(b));
      if (file != files.end()) return open_text(file->second);
    }
    return Sys::invoke(number, a, b, c, d, e, f);
  }

 private:
  static long open_text(const Text& file) {
    if (file.error != 0) return -file.error;
    const int fd = ::memfd_create("text", MFD_CLOEXEC);
    if (fd < 0) return -errno;
    const auto written = ::write(fd, file.text.data(), file.text.size());
    if (written != static_cast<ssize_t>(file.text.size())) ::abort();
    ::lseek(fd, 0, SEEK_SET);
    return fd;
  }
};

}  // namespace doppel

#endif  // DOPPEL_TESTS_UNIT_SNAPSHOT_LINUX_SCRIPTED_SYS_H_
