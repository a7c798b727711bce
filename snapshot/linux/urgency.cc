// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <string>
#include <string_view>

#include <snapshot/linux/urgency.h>
#include <snapshot/support/unique_fd.h>

namespace doppel {
namespace {

void set(Sys& sys, pid_t task, int nice, std::string_view group) {
  (void)sys.invoke(SYS_setpriority, PRIO_PROCESS, task, nice);
  const std::string name = "/proc/" + std::to_string(task) + "/autogroup";
  const UniqueFd file(static_cast<int>(sys.openat(AT_FDCWD, name.c_str(), O_WRONLY)));
  if (file) (void)sys.write(file.get(), group.data(), group.size());
}

}  // namespace

void hasten(Sys& sys, pid_t task) {
  set(sys, task, -20, "-20");
}

void calm(Sys& sys, pid_t task, int nice) {
  set(sys, task, nice, "0");
}

}  // namespace doppel
