// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>

#include <snapshot/support/unique_fd.h>

namespace doppel {
namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

int open_null() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

TEST(UniqueFdTest, ClosesWhenDropped) {
  int number = -1;
  {
    const UniqueFd fd(open_null());
    number = fd.get();
    ASSERT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(UniqueFdTest, MovesAndResets) {
  UniqueFd first(open_null());
  const int number = first.get();
  UniqueFd second = std::move(first);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): the promise under test
  EXPECT_EQ(second.get(), number);
  second = UniqueFd(open_null());
  EXPECT_FALSE(is_open(number)) << "moving in closes the old one";
  const int other = second.release();
  EXPECT_FALSE(second);
  EXPECT_TRUE(is_open(other)) << "released: the caller's now";
  second.reset(other);
  second.reset();
  EXPECT_FALSE(is_open(other));
}

TEST(UniqueFdTest, NegativeOwnsNothing) {
  const UniqueFd none(-1);
  EXPECT_FALSE(none);
  EXPECT_FALSE(UniqueFd());
}

}  // namespace
}  // namespace doppel
