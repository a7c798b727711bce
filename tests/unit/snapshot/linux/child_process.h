// SPDX-License-Identifier: Apache-2.0
//
// A child of the test that prepares itself, says that it is ready, and waits to be killed. The
// parent goes on only after "ready"; the child dies with the object, also when the test fails.
#ifndef DOPPEL_TESTS_UNIT_SNAPSHOT_LINUX_CHILD_PROCESS_H_
#define DOPPEL_TESTS_UNIT_SNAPSHOT_LINUX_CHILD_PROCESS_H_

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

namespace doppel {

class ChildProcess {
 public:
  /// Runs `prepare` in the child; false from it means that the property cannot be made here.
  template <class Prepare>
  explicit ChildProcess(Prepare prepare) {
    int ready[2];
    if (::pipe(ready) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(ready[0]);
      const bool good = prepare();
      const char answer = good ? 'y' : 'n';
      if (::write(ready[1], &answer, 1) != 1) ::_exit(1);
      while (true) ::pause();
    }
    ::close(ready[1]);
    char answer = 0;
    ready_ = pid_ > 0 && ::read(ready[0], &answer, 1) == 1 && answer == 'y';
    ::close(ready[0]);
    if (ready_) wait_until_asleep();
  }

  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  ~ChildProcess() { reap(); }

  pid_t pid() const { return pid_; }

  bool ready() const { return ready_; }

  /// Kills it, and leaves the zombie.
  void kill() const {
    ::kill(pid_, SIGKILL);
    siginfo_t info;
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }

  void reap() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
  }

 private:
  /// It says "ready" and then goes to sleep: until it does, it would show as running.
  void wait_until_asleep() const {
    const std::string path = "/proc/" + std::to_string(pid_) + "/syscall";
    const std::string asleep = std::to_string(SYS_pause) + " ";
    char text[8] = {};
    do {
      const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
      const ssize_t got = fd < 0 ? -1 : ::read(fd, text, sizeof text - 1);
      if (fd >= 0) ::close(fd);
      if (got <= 0) return;  // not ours to see
      ::sched_yield();
    } while (!std::string_view(text).starts_with(asleep));
  }

  pid_t pid_ = 0;
  bool ready_ = false;
};

}  // namespace doppel

#endif  // DOPPEL_TESTS_UNIT_SNAPSHOT_LINUX_CHILD_PROCESS_H_
