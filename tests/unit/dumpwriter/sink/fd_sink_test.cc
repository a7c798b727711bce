// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include <dumpwriter/sink/fd_sink.h>
#include <tests/unit/dumpwriter/sink/faulty_sys.h>

namespace doppel::test {
namespace {

struct Pipe {
  UniqueFd read_end, write_end;

  Pipe() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
    read_end = UniqueFd(fds[0]);
    write_end = UniqueFd(fds[1]);
  }
};

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 + i / 251);
  return bytes;
}

/// All that comes until the other end is closed.
std::vector<std::byte> drain(int fd) {
  std::vector<std::byte> all;
  std::byte part[3000];
  while (true) {
    const ssize_t count = ::read(fd, part, sizeof part);
    if (count <= 0) return all;
    all.insert(all.end(), part, part + count);
  }
}

class FdSinkTest : public ::testing::Test {
 protected:
  FdSinkTest() { ::signal(SIGPIPE, SIG_IGN); }
};

TEST_F(FdSinkTest, AllBytesArriveThroughASmallPipe) {
  const std::vector<std::byte> bytes = pattern(1 << 20);
  for (const long refusal : {0L, static_cast<long>(EOPNOTSUPP), static_cast<long>(ENOSYS)}) {
    for (const bool non_blocking : {false, true}) {
      Pipe pipe;
      if (non_blocking) ::fcntl(pipe.write_end.get(), F_SETFL, O_NONBLOCK);
      std::vector<std::byte> arrived;
      std::jthread reader([&] { arrived = drain(pipe.read_end.get()); });
      FaultySys sys;
      if (refusal != 0) sys.deny[SYS_pwritev2] = refusal;
      auto sink = FdSink::create(pipe.write_end.get(), sys);
      ASSERT_TRUE(sink);
      ASSERT_TRUE((*sink)->write(bytes));
      ASSERT_TRUE((*sink)->write_zeros(100000));
      ASSERT_TRUE((*sink)->commit());
      sink->reset();
      pipe.write_end.reset();
      reader.join();
      std::vector<std::byte> expected = bytes;
      expected.resize(expected.size() + 100000);
      EXPECT_EQ(arrived, expected);
    }
  }
}

TEST_F(FdSinkTest, AClosedPipeIsEpipe) {
  for (const bool small_steps : {false, true}) {
    Pipe pipe;
    FaultySys sys;
    if (small_steps) sys.deny[SYS_pwritev2] = EOPNOTSUPP;
    auto sink = FdSink::create(pipe.write_end.get(), sys);
    ASSERT_TRUE(sink);
    pipe.read_end.reset();
    const Result<> written = (*sink)->write(pattern(10));
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().os, EPIPE);
  }
}

TEST_F(FdSinkTest, APipeClosedWhileWeWaitIsEpipe) {
  Pipe pipe;
  auto sink = FdSink::create(pipe.write_end.get());
  ASSERT_TRUE(sink);
  std::jthread reader([&] {
    std::byte part[100];
    EXPECT_EQ(::read(pipe.read_end.get(), part, sizeof part), 100);
    pipe.read_end.reset();
  });
  const Result<> written = (*sink)->write(pattern(1 << 20));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().os, EPIPE);
}

TEST_F(FdSinkTest, InterruptEndsAWriteThatWaitsForTheReader) {
  for (const bool small_steps : {false, true}) {
    Pipe pipe;
    FaultySys sys;
    if (small_steps) sys.deny[SYS_pwritev2] = EOPNOTSUPP;
    auto sink = FdSink::create(pipe.write_end.get(), sys);
    ASSERT_TRUE(sink);
    Result<> written;
    // The pipe holds 64 KiB; the rest waits for a reader that never comes.
    std::jthread writer([&] { written = (*sink)->write(pattern(1 << 20)); });
    pollfd full{.fd = pipe.write_end.get(), .events = POLLOUT, .revents = 0};
    while (::poll(&full, 1, 0) == 1) std::this_thread::yield();
    (*sink)->interrupt();
    writer.join();
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Errc::cancelled);
    EXPECT_EQ((*sink)->write(pattern(1)).error().code, Errc::cancelled);
  }
}

TEST_F(FdSinkTest, Sockets) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd ours(ends[1]);
  UniqueFd theirs(ends[0]);
  const std::vector<std::byte> bytes = pattern(3 << 20);
  std::vector<std::byte> arrived;
  std::jthread reader([&] { arrived = drain(ours.get()); });
  auto sink = FdSink::create(theirs.get());
  ASSERT_TRUE(sink);
  ASSERT_TRUE((*sink)->write(bytes));
  sink->reset();
  theirs.reset();
  reader.join();
  EXPECT_EQ(arrived, bytes);
}

TEST_F(FdSinkTest, InterruptedCallsAreRepeated) {
  Pipe pipe;
  FaultySys sys;
  unsigned polls = 0;
  unsigned writes = 0;
  sys.hook = [&](const FaultySys::Call& call) -> std::optional<long> {
    if (call.number == SYS_poll && ++polls <= 2) return -EINTR;
    if (call.number == SYS_pwritev2 && ++writes <= 2) return -EINTR;
    return std::nullopt;
  };
  auto sink = FdSink::create(pipe.write_end.get(), sys);
  ASSERT_TRUE(sink);
  ASSERT_TRUE((*sink)->write(pattern(5000)));
  sink->reset();
  pipe.write_end.reset();
  EXPECT_EQ(drain(pipe.read_end.get()), pattern(5000));
  EXPECT_GE(polls, 3u);
  EXPECT_GE(writes, 3u);
}

TEST_F(FdSinkTest, AFullDeviceIsEnospc) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full);
  auto sink = FdSink::create(full.get());
  ASSERT_TRUE(sink);
  const Result<> written = (*sink)->write(pattern(10));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().os, ENOSPC);
}

TEST_F(FdSinkTest, ABadDescriptorIsRefusedAtOnce) {
  const auto sink = FdSink::create(-1);
  ASSERT_FALSE(sink);
  EXPECT_EQ(sink.error().os, EBADF);
}

TEST_F(FdSinkTest, TheDescriptorStaysOpen) {
  Pipe pipe;
  auto sink = FdSink::create(pipe.write_end.get());
  ASSERT_TRUE(sink);
  sink->reset();
  EXPECT_GE(::fcntl(pipe.write_end.get(), F_GETFD), 0);
}

}  // namespace
}  // namespace doppel::test
