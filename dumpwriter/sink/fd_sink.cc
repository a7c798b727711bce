// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include <dumpwriter/sink/fd_sink.h>

namespace doppel {
namespace {

constexpr const char* kStep = "write dump";

long word(const void* pointer) {
  return reinterpret_cast<long>(pointer);
}

}  // namespace

FdSink::FdSink(Sys& sys, int fd, Kind kind, UniqueFd wake_read, UniqueFd wake_write)
    : sys_(sys),
      fd_(fd),
      kind_(kind),
      wake_read_(std::move(wake_read)),
      wake_write_(std::move(wake_write)) {}

Result<std::unique_ptr<FdSink>> FdSink::create(int fd, Sys& sys) {
  struct stat facts{};
  DOPPEL_TRY(check(sys.fstat(fd, &facts), "look at output", std::to_string(fd)));
  Kind kind = Kind::other;
  if (S_ISFIFO(facts.st_mode)) kind = Kind::pipe;
  if (S_ISSOCK(facts.st_mode)) kind = Kind::socket;
  int wake[2] = {-1, -1};
  DOPPEL_TRY(check(sys.pipe2(wake, 0), "make a wake-up pipe"));
  return std::unique_ptr<FdSink>(new FdSink(sys, fd, kind, UniqueFd(wake[0]), UniqueFd(wake[1])));
}

Result<> FdSink::wait_until_writable() {
  while (true) {
    pollfd fds[2] = {{.fd = wake_read_.get(), .events = POLLIN, .revents = 0},
                     {.fd = fd_, .events = POLLOUT, .revents = 0}};
    const long count = sys_.poll(fds, 2, -1);
    if (count == -EINTR) continue;
    if (count < 0) return fail_errno(static_cast<int>(-count), "wait for the reader");
    if (fds[0].revents != 0) return fail(Errc::cancelled, kStep);
    // An error or a closed reader is left for write() to name.
    if (fds[1].revents != 0) return {};
  }
}

long FdSink::write_some(std::span<const std::byte> bytes) {
  switch (kind_) {
    case Kind::pipe: {
      // Pipes take RWF_NOWAIT since Linux v6.4 (commit afed6271f5b0, "pipe: set FMODE_NOWAIT on
      // pipes"); older kernels answer EOPNOTSUPP.
      iovec vector{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
      const long taken = sys_.invoke(SYS_pwritev2, fd_, word(&vector), 1, -1, -1, RWF_NOWAIT);
      if (taken != -EOPNOTSUPP && taken != -ENOSYS && taken != -EINVAL) return taken;
      kind_ = Kind::pipe_in_small_steps;
      [[fallthrough]];
    }
    case Kind::pipe_in_small_steps:
      // POLLOUT promises a free slot of one page, so PIPE_BUF bytes do not block (pipe(7)).
      return sys_.write(fd_, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
    case Kind::socket:
      return sys_.invoke(SYS_sendto, fd_, word(bytes.data()), static_cast<long>(bytes.size()),
                         MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
    case Kind::other:
      return sys_.write(fd_, bytes.data(), std::min<std::size_t>(bytes.size(), 64 << 10));
  }
  return -EINVAL;
}

Result<> FdSink::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    DOPPEL_TRY(wait_until_writable());
    const long taken = write_some(bytes);
    if (taken == -EINTR || taken == -EAGAIN) continue;
    if (taken < 0) return fail_errno(static_cast<int>(-taken), kStep);
    if (taken == 0) return fail_errno(ENOSPC, kStep);  // a device that is full may say so
    bytes = bytes.subspan(static_cast<std::size_t>(taken));
  }
  return {};
}

Result<> FdSink::commit() {
  return {};
}

void FdSink::interrupt() {
  const char byte = 0;
  // The pipe holds thousands of these; a full one is readable, which is all that counts.
  (void)sys_.write(wake_write_.get(), &byte, 1);
}

}  // namespace doppel
