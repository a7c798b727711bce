// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include <snapshot/support/sys.h>
#include <snapshot/support/unique_fd.h>

namespace doppel {
namespace {

/// Fails call number `fail_at` (counted from 1) and counts all.
class CountingSys : public Sys {
 public:
  explicit CountingSys(int fail_at) : fail_at_(fail_at) {}

  long invoke(long number, long a, long b, long c, long d, long e, long f) override {
    if (++calls == fail_at_) return -EIO;
    return Sys::invoke(number, a, b, c, d, e, f);
  }

  int calls = 0;

 private:
  int fail_at_;
};

TEST(SysTest, FailuresAreNegativeErrnoAndErrnoIsNotNeeded) {
  EXPECT_EQ(Sys::real().close(-1), -EBADF);
  EXPECT_EQ(Sys::real().openat(AT_FDCWD, "/nonexistent/file", O_RDONLY), -ENOENT);
}

TEST(SysTest, DescriptorsAreCloseOnExec) {
  const UniqueFd fd(static_cast<int>(Sys::real().openat(AT_FDCWD, "/dev/null", O_RDONLY)));
  ASSERT_TRUE(fd);
  EXPECT_EQ(Sys::real().fcntl(fd.get(), F_GETFD, 0), FD_CLOEXEC);
  int ends[2] = {-1, -1};
  ASSERT_EQ(Sys::real().pipe2(ends, 0), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  EXPECT_EQ(Sys::real().fcntl(reader.get(), F_GETFD, 0), FD_CLOEXEC);
  EXPECT_EQ(Sys::real().fcntl(writer.get(), F_GETFD, 0), FD_CLOEXEC);
}

TEST(SysTest, EveryCallPassesTheOneDoor) {
  CountingSys sys(2);
  const long fd = sys.openat(AT_FDCWD, "/dev/zero", O_RDONLY);
  ASSERT_GE(fd, 0);
  const UniqueFd owner(static_cast<int>(fd));
  char byte = 1;
  EXPECT_EQ(sys.read(owner.get(), &byte, 1), -EIO) << "the second call was told to fail";
  EXPECT_EQ(sys.read(owner.get(), &byte, 1), 1);
  EXPECT_EQ(byte, 0);
  EXPECT_EQ(sys.calls, 3);
}

}  // namespace
}  // namespace doppel
