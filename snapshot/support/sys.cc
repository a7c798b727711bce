// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include <snapshot/support/sys.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

namespace doppel {
namespace {

long word(const void* pointer) {
  return reinterpret_cast<long>(pointer);
}

}  // namespace

Sys& Sys::real() {
  static Sys sys;
  return sys;
}

long Sys::invoke(long number, long a, long b, long c, long d, long e, long f) {
  const long value = ::syscall(number, a, b, c, d, e, f);
  return value == -1 ? -errno : value;
}

long Sys::fork() {
  const pid_t pid = ::fork();
  return pid < 0 ? -errno : pid;
}

long Sys::openat(int dir, const char* path, int flags, unsigned mode) {
  return invoke(SYS_openat, dir, word(path), flags | O_CLOEXEC, mode);
}

long Sys::close(int fd) {
  return invoke(SYS_close, fd);
}

long Sys::read(int fd, void* to, std::size_t size) {
  return invoke(SYS_read, fd, word(to), static_cast<long>(size));
}

long Sys::write(int fd, const void* from, std::size_t size) {
  return invoke(SYS_write, fd, word(from), static_cast<long>(size));
}

long Sys::pread(int fd, void* to, std::size_t size, std::uint64_t offset) {
  return invoke(SYS_pread64, fd, word(to), static_cast<long>(size), static_cast<long>(offset));
}

long Sys::pwrite(int fd, const void* from, std::size_t size, std::uint64_t offset) {
  return invoke(SYS_pwrite64, fd, word(from), static_cast<long>(size), static_cast<long>(offset));
}

long Sys::lseek(int fd, std::int64_t offset, int whence) {
  return invoke(SYS_lseek, fd, offset, whence);
}

long Sys::fsync(int fd) {
  return invoke(SYS_fsync, fd);
}

long Sys::ftruncate(int fd, std::uint64_t size) {
  return invoke(SYS_ftruncate, fd, static_cast<long>(size));
}

long Sys::fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t size) {
  return invoke(SYS_fallocate, fd, mode, static_cast<long>(offset), static_cast<long>(size));
}

long Sys::fstat(int fd, struct stat* to) {
  return invoke(SYS_newfstatat, fd, word(""), word(to), AT_EMPTY_PATH);
}

long Sys::fstatat(int dir, const char* path, struct stat* to, int flags) {
  return invoke(SYS_newfstatat, dir, word(path), word(to), flags);
}

long Sys::fstatfs(int fd, struct statfs* to) {
  return invoke(SYS_fstatfs, fd, word(to));
}

long Sys::fchmod(int fd, unsigned mode) {
  return invoke(SYS_fchmod, fd, mode);
}

long Sys::fcntl(int fd, int command, long argument) {
  return invoke(SYS_fcntl, fd, command, argument);
}

long Sys::linkat(int old_dir, const char* old_path, int new_dir, const char* new_path, int flags) {
  return invoke(SYS_linkat, old_dir, word(old_path), new_dir, word(new_path), flags);
}

long Sys::unlinkat(int dir, const char* path, int flags) {
  return invoke(SYS_unlinkat, dir, word(path), flags);
}

long Sys::renameat2(int old_dir, const char* old_path, int new_dir, const char* new_path,
                    unsigned flags) {
  return invoke(SYS_renameat2, old_dir, word(old_path), new_dir, word(new_path), flags);
}

long Sys::readlinkat(int dir, const char* path, char* to, std::size_t size) {
  return invoke(SYS_readlinkat, dir, word(path), word(to), static_cast<long>(size));
}

long Sys::getdents64(int fd, void* to, std::size_t size) {
  return invoke(SYS_getdents64, fd, word(to), static_cast<long>(size));
}

long Sys::ioctl(int fd, unsigned long request, void* argument) {
  return invoke(SYS_ioctl, fd, static_cast<long>(request), word(argument));
}

long Sys::poll(struct pollfd* fds, unsigned count, int timeout_ms) {
  return invoke(SYS_poll, word(fds), count, timeout_ms);
}

long Sys::pipe2(int fds[2], int flags) {
  return invoke(SYS_pipe2, word(fds), flags | O_CLOEXEC);
}

long Sys::close_range(unsigned first, unsigned last, unsigned flags) {
  return invoke(SYS_close_range, first, last, flags);
}

long Sys::pidfd_open(pid_t pid, unsigned flags) {
  return invoke(SYS_pidfd_open, pid, flags);
}

long Sys::pidfd_send_signal(int pidfd, int signal) {
  return invoke(SYS_pidfd_send_signal, pidfd, signal, 0, 0);
}

long Sys::kill(pid_t pid, int signal) {
  return invoke(SYS_kill, pid, signal);
}

long Sys::tgkill(pid_t pid, pid_t tid, int signal) {
  return invoke(SYS_tgkill, pid, tid, signal);
}

long Sys::ptrace(int request, pid_t tid, void* address, void* data) {
  return invoke(SYS_ptrace, request, tid, word(address), word(data));
}

long Sys::waitid(int id_type, pid_t id, siginfo_t* info, int options) {
  return invoke(SYS_waitid, id_type, id, word(info), options, 0);
}

long Sys::sigtimedwait(std::uint64_t set, std::int64_t timeout_ns) {
  const timespec timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  return invoke(SYS_rt_sigtimedwait, word(&set), 0, word(&timeout), sizeof set);
}

long Sys::sched_setaffinity(pid_t tid, std::size_t size, const void* mask) {
  return invoke(SYS_sched_setaffinity, tid, static_cast<long>(size), word(mask));
}

long Sys::setsid() {
  return invoke(SYS_setsid);
}

long Sys::sched_yield() {
  return invoke(SYS_sched_yield);
}

long Sys::prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
  return invoke(SYS_prctl, option, static_cast<long>(a), static_cast<long>(b), static_cast<long>(c),
                static_cast<long>(d));
}

long Sys::socketpair(int fds[2]) {
  return invoke(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, word(fds));
}

long Sys::sendmsg(int fd, const msghdr* message, int flags) {
  return invoke(SYS_sendmsg, fd, word(message), flags | MSG_NOSIGNAL);
}

long Sys::recvmsg(int fd, msghdr* message, int flags) {
  return invoke(SYS_recvmsg, fd, word(message), flags | MSG_CMSG_CLOEXEC);
}

}  // namespace doppel
