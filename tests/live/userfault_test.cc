// SPDX-License-Identifier: Apache-2.0
//
// Memory that a userfaultfd provides page by page: what is there is captured, what is still to come
// is named as missing and never shown as zeros, and nobody is made to provide it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include <dumpwriter/plan/selection.h>
#include <tests/live/capturing.h>
#include <tests/unit/snapshot/linux/child_process.h>

namespace doppel {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPages = 64;
constexpr std::uint64_t kMark = 0x7075'6666'6421'2121;

struct Told {
  std::uint64_t memory = 0;
  int fault_fd = -1;
};

/// Registers kPages and provides the first two; tells where.
bool provide_two(int mode, std::uint64_t features, Told* told) {
  const int fd = static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));
  uffdio_api api{.api = UFFD_API, .features = features, .ioctls = 0};
  if (fd < 0 || ::ioctl(fd, UFFDIO_API, &api) != 0) return false;
  void* memory =
      ::mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  uffdio_register range{};
  range.range = {reinterpret_cast<std::uint64_t>(memory), kPages * kPage};
  range.mode = static_cast<std::uint64_t>(mode);
  if (::ioctl(fd, UFFDIO_REGISTER, &range) != 0) return false;
  alignas(kPage) static unsigned char source[2 * kPage];
  std::memcpy(source, &kMark, sizeof kMark);
  std::memcpy(source + kPage, &kMark, sizeof kMark);
  if (mode == UFFDIO_REGISTER_MODE_MISSING) {
    uffdio_copy copy{};
    copy.dst = range.range.start;
    copy.src = reinterpret_cast<std::uint64_t>(source);
    copy.len = sizeof source;
    if (::ioctl(fd, UFFDIO_COPY, &copy) != 0) return false;
  } else {
    std::memcpy(memory, source, sizeof source);
  }
  *told = {range.range.start, fd};
  return true;
}

class Userfault : public testing::Test {
 protected:
  Userfault()
      : told_(static_cast<Told*>(
            ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}

  ~Userfault() override { ::munmap(told_, kPage); }

  Told* told_;
};

TEST_F(Userfault, WhatIsNotProvidedYetIsNamed) {
  const ChildProcess child([&] { return provide_two(UFFDIO_REGISTER_MODE_MISSING, 0, told_); });
  if (!child.ready()) GTEST_SKIP() << "no userfaultfd here";
  for (const Engine engine : {Engine::clone, Engine::direct}) {
    auto snapshot = capture(child.pid(), SharedMemory::live, engine);
    DOPPEL_ASSERT_OK(snapshot);
    EXPECT_EQ(word_at(*snapshot, told_->memory), kMark);
    EXPECT_EQ(word_at(*snapshot, told_->memory + kPage), kMark);
    const auto selection = select(snapshot->image, *snapshot->memory);
    DOPPEL_ASSERT_OK(selection);
    const std::uint64_t missing = told_->memory + 2 * kPage;
    bool named = false;
    for (const Omission& omission : selection->omissions) {
      if (!omission.range.contains({missing})) continue;
      named = true;
      EXPECT_EQ(omission.range, (AddressRange{{missing}, (kPages - 2) * kPage}));
      EXPECT_NE(omission.why.find("userfaultfd"), std::string::npos) << omission.why;
      EXPECT_FALSE(omission.asked);
    }
    EXPECT_TRUE(named);
    for (const Segment& segment : selection->segments) {
      EXPECT_FALSE(segment.range.contains({missing})) << "shown although nobody knows it";
    }
  }
  // Nobody was asked for a page: the monitor has no event.
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, child.pid(), 0));
  const int fault_fd = static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd, told_->fault_fd, 0));
  ASSERT_GE(fault_fd, 0);
  uffd_msg message;
  EXPECT_EQ(::read(fault_fd, &message, sizeof message), -1);
  EXPECT_EQ(errno, EAGAIN);
  ::close(fault_fd);
  ::close(pidfd);
}

TEST_F(Userfault, WriteProtectionAloneLosesNothing) {
  const ChildProcess child(
      [&] { return provide_two(UFFDIO_REGISTER_MODE_WP, UFFD_FEATURE_PAGEFAULT_FLAG_WP, told_); });
  if (!child.ready()) GTEST_SKIP() << "no write protection by userfaultfd here";
  auto snapshot = capture(child.pid());
  DOPPEL_ASSERT_OK(snapshot);
  EXPECT_EQ(word_at(*snapshot, told_->memory), kMark);
  const auto selection = select(snapshot->image, *snapshot->memory);
  DOPPEL_ASSERT_OK(selection);
  for (const Omission& omission : selection->omissions) {
    EXPECT_FALSE(omission.range.contains({told_->memory + 2 * kPage})) << omission.why;
  }
}

}  // namespace
}  // namespace doppel
