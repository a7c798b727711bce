// SPDX-License-Identifier: Apache-2.0
//
// Every system call doppel makes, behind one door. All calls pass through `invoke`, so a test that
// wants the n-th call to fail, or an old kernel that answers ENOSYS, overrides one function. The
// kernel's convention is kept: a value >= 0 is success, a negative value is -errno; errno itself is
// not touched.
//
// It must not know what the calls are for. Thread-safe: the default has no state.
#ifndef DOPPEL_SNAPSHOT_SUPPORT_SYS_H_
#define DOPPEL_SNAPSHOT_SUPPORT_SYS_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <csignal>
#include <cstddef>
#include <cstdint>

struct msghdr;
struct pollfd;
struct statfs;

namespace doppel {

class Sys {
 public:
  Sys() = default;
  Sys(const Sys&) = delete;
  Sys& operator=(const Sys&) = delete;
  virtual ~Sys() = default;

  /// The real system, shared by all.
  static Sys& real();

  // ---- files ----
  long openat(int dir, const char* path, int flags,
              unsigned mode = 0);  ///< O_CLOEXEC is always added
  long close(int fd);
  long read(int fd, void* to, std::size_t size);
  long write(int fd, const void* from, std::size_t size);
  long pread(int fd, void* to, std::size_t size, std::uint64_t offset);
  long pwrite(int fd, const void* from, std::size_t size, std::uint64_t offset);
  long lseek(int fd, std::int64_t offset, int whence);
  long fsync(int fd);
  long ftruncate(int fd, std::uint64_t size);
  long fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t size);
  long fstat(int fd, struct stat* to);
  long fstatat(int dir, const char* path, struct stat* to, int flags);
  long fstatfs(int fd, struct statfs* to);
  long fchmod(int fd, unsigned mode);
  long fcntl(int fd, int command, long argument);
  long linkat(int old_dir, const char* old_path, int new_dir, const char* new_path, int flags);
  long unlinkat(int dir, const char* path, int flags);
  long renameat2(int old_dir, const char* old_path, int new_dir, const char* new_path,
                 unsigned flags);
  long readlinkat(int dir, const char* path, char* to, std::size_t size);
  long getdents64(int fd, void* to, std::size_t size);
  long ioctl(int fd, unsigned long request, void* argument);
  long poll(struct pollfd* fds, unsigned count, int timeout_ms);
  long pipe2(int fds[2], int flags);
  long close_range(unsigned first, unsigned last, unsigned flags);

  // ---- processes ----
  long pidfd_open(pid_t pid, unsigned flags = 0);
  long pidfd_send_signal(int pidfd, int signal);
  long kill(pid_t pid, int signal);
  long tgkill(pid_t pid, pid_t tid, int signal);
  long ptrace(int request, pid_t tid, void* address, void* data);
  long waitid(int id_type, pid_t id, siginfo_t* info, int options);
  /// Takes a pending signal of the (blocked) set, a bit mask with bit n-1 for signal n; waits up to
  /// `timeout_ns` nanoseconds.
  long sigtimedwait(std::uint64_t set, std::int64_t timeout_ns);
  long sched_setaffinity(pid_t tid, std::size_t size, const void* mask);
  long setsid();
  long sched_yield();
  long prctl(int option, unsigned long a = 0, unsigned long b = 0, unsigned long c = 0,
             unsigned long d = 0);
  /// libc's fork (with its handlers), counted like a call; 0 in the child.
  virtual long fork();

  // ---- sockets between our own processes ----
  long socketpair(int fds[2]);  ///< AF_UNIX, SOCK_SEQPACKET, close-on-exec
  long sendmsg(int fd, const msghdr* message, int flags);
  long recvmsg(int fd, msghdr* message, int flags);

  /// The door. `number` is the system call's number on this machine.
  virtual long invoke(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                      long f = 0);
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_SUPPORT_SYS_H_
