// SPDX-License-Identifier: Apache-2.0
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <snapshot/linux/restart.h>

namespace doppel {
namespace {

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

// read, readv, write and writev stand here for sockets with SO_RCVTIMEO or SO_SNDTIMEO and for
// inotify.
constexpr std::array<std::uint64_t, 22> kEintrCalls = {
    SYS_epoll_wait,    SYS_epoll_pwait,     SYS_epoll_pwait2, SYS_read,       SYS_readv,
    SYS_write,         SYS_writev,          SYS_recvfrom,     SYS_recvmsg,    SYS_recvmmsg,
    SYS_sendto,        SYS_sendmsg,         SYS_sendmmsg,     SYS_accept,     SYS_accept4,
    SYS_connect,       SYS_rt_sigtimedwait, SYS_semop,        SYS_semtimedop, SYS_io_getevents,
    SYS_io_pgetevents, SYS_io_uring_enter};

}  // namespace

bool returns_eintr_on_stop(std::uint64_t syscall_number) {
  return std::find(kEintrCalls.begin(), kEintrCalls.end(), syscall_number) != kEintrCalls.end();
}

bool shows_eintr(const X86_64Registers& registers) {
  return static_cast<std::int64_t>(registers.rax) == -EINTR &&
         static_cast<std::int64_t>(registers.orig_rax) >= 0 &&
         returns_eintr_on_stop(registers.orig_rax);
}

X86_64Registers begun_again(const X86_64Registers& registers) {
  constexpr std::int64_t kRestartNoHandler = 514;  // ERESTARTNOHAND, include/linux/errno.h
  X86_64Registers result = registers;
  result.rax = static_cast<std::uint64_t>(-kRestartNoHandler);
  return result;
}

std::int64_t register_timeout_ms(const X86_64Registers& registers) {
  if (registers.orig_rax != SYS_epoll_wait && registers.orig_rax != SYS_epoll_pwait) return -1;
  const auto timeout = static_cast<std::int32_t>(registers.r10);
  return timeout < 0 ? -1 : timeout;
}

}  // namespace doppel
