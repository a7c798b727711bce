// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>

#include <snapshot/model/process_image.h>

namespace doppel {
namespace {

TEST(ProcessImageTest, IsAValue) {
  ProcessImage image;
  image.process.comm = "server";
  image.threads.push_back(Thread{.id = 7, .name = "worker"});
  image.regions.push_back(Region{.range = {Address{0x1000}, 0x1000}});
  image.omissions.push_back(
      Omission{.what = "memory", .range = {Address{0x9000}, 0x1000}, .why = "unreadable"});

  ProcessImage copy = image;
  EXPECT_EQ(copy, image);
  copy.threads[0].registers.general.rip = 1;
  EXPECT_NE(copy, image) << "a single register makes another process";
  copy = image;
  copy.omissions[0].why = "secret memory";
  EXPECT_NE(copy, image);
}

TEST(ProcessImageTest, GeneralRegistersLieInTheKernelsOrder) {
  // struct user_regs_struct, arch/x86/include/asm/user_64.h: formats copy the struct as it is.
  X86_64Registers registers;
  registers.r15 = 1;
  registers.rax = 2;
  registers.orig_rax = 3;
  registers.rip = 4;
  registers.rsp = 5;
  registers.fs_base = 6;
  registers.gs = 7;
  std::uint64_t words[27];
  static_assert(sizeof(words) == sizeof(registers));
  std::memcpy(words, &registers, sizeof(words));
  EXPECT_EQ(words[0], 1u);
  EXPECT_EQ(words[10], 2u);
  EXPECT_EQ(words[15], 3u);
  EXPECT_EQ(words[16], 4u);
  EXPECT_EQ(words[19], 5u);
  EXPECT_EQ(words[21], 6u);
  EXPECT_EQ(words[26], 7u);
}

}  // namespace
}  // namespace doppel
