// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include <snapshot/linux/proc_directory.h>

namespace doppel {

Result<std::vector<pid_t>> list_numbers(Sys& sys, int fd) {
  std::vector<pid_t> result;
  DOPPEL_TRY(check(sys.lseek(fd, 0, SEEK_SET), "list directory"));
  alignas(dirent64) char buffer[32768];
  while (true) {
    const long size = sys.getdents64(fd, buffer, sizeof buffer);
    if (size == -ENOENT) break;  // the process went away meanwhile
    DOPPEL_TRY(check(size, "list directory"));
    if (size == 0) break;
    for (long at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer + at);
      pid_t number = 0;
      const char* end = entry->d_name + std::strlen(entry->d_name);
      if (std::from_chars(entry->d_name, end, number).ptr == end) result.push_back(number);
      at += entry->d_reclen;
    }
  }
  return result;
}

}  // namespace doppel
