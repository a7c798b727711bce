// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include <snapshot/support/bytes.h>
#include <snapshot/support/mapping.h>
#include <snapshot/support/unique_fd.h>

namespace doppel {
namespace {

bool mapped(const void* at) {
  unsigned char resident = 0;
  return ::mincore(const_cast<void*>(at), 1, &resident) == 0;
}

TEST(MappingTest, AnonymousIsZeroWritableAndGivenBack) {
  const void* at = nullptr;
  {
    Result<Mapping> mapping = Mapping::anonymous(Sys::real(), 3 * 4096);
    ASSERT_TRUE(mapping);
    at = mapping->bytes().data();
    EXPECT_EQ(mapping->bytes().size(), 3u * 4096);
    EXPECT_EQ(mapping->bytes().back(), std::byte{0});
    mapping->bytes().back() = std::byte{7};
    EXPECT_TRUE(mapped(at));
  }
  EXPECT_FALSE(mapped(at));
}

TEST(MappingTest, MovingLeavesNothingBehind) {
  Mapping first = *Mapping::anonymous(Sys::real(), 4096);
  const void* at = first.bytes().data();
  Mapping second = std::move(first);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): the promise under test
  EXPECT_TRUE(mapped(at));
  second = *Mapping::anonymous(Sys::real(), 4096);
  EXPECT_FALSE(mapped(at)) << "the old mapping goes when a new one is moved in";
}

TEST(MappingTest, AFilesBytesFromAnOffset) {
  const UniqueFd file(::memfd_create("mapping_test", MFD_CLOEXEC));
  ASSERT_TRUE(file);
  ASSERT_EQ(::pwrite(file.get(), "hello", 5, 4096), 5);
  const Result<Mapping> mapping = Mapping::file(Sys::real(), file.get(), 5, 4096);
  ASSERT_TRUE(mapping);
  EXPECT_EQ(text_of(mapping->bytes()), "hello");
}

TEST(MappingTest, FailuresNameTheStep) {
  const Result<Mapping> bad = Mapping::file(Sys::real(), -1, 4096);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().os, EBADF);
  EXPECT_STREQ(bad.error().step, "map memory");
}

}  // namespace
}  // namespace doppel
