// SPDX-License-Identifier: Apache-2.0
//
// Offsets as winnt.h has them (CONTEXT of AMD64).
#include <gtest/gtest.h>

#include <cstring>

#include <dumpwriter/minidump/context_amd64.h>

namespace doppel::minidump {
namespace {

std::uint64_t at(const std::vector<std::byte>& bytes, std::size_t offset, std::size_t size = 8) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data() + offset, size);
  return value;
}

CpuContext sample() {
  CpuContext registers;
  std::uint64_t value = 0x100;
  X86_64Registers& r = registers.general;
  for (std::uint64_t* each : {&r.rax, &r.rcx, &r.rdx, &r.rbx, &r.rsp, &r.rbp, &r.rsi, &r.rdi, &r.r8,
                              &r.r9, &r.r10, &r.r11, &r.r12, &r.r13, &r.r14, &r.r15, &r.rip}) {
    *each = value++;
  }
  r.cs = 0x33;
  r.ss = 0x2b;
  r.ds = 1, r.es = 2, r.fs = 3, r.gs = 4;
  r.eflags = 0x246;
  registers.fxsave.assign(512, std::byte{0});
  registers.fxsave[24] = std::byte{0x80};  // MXCSR
  registers.fxsave[25] = std::byte{0x1f};
  registers.fxsave[160] = std::byte{0x77};  // xmm0
  return registers;
}

TEST(Context, EveryFieldInItsPlace) {
  const std::vector<std::byte> context = make_context(sample());
  ASSERT_EQ(context.size(), 1232u);
  EXPECT_EQ(at(context, 0x30, 4), 0x10000fu);
  EXPECT_EQ(at(context, 0x34, 4), 0x1f80u);
  EXPECT_EQ(at(context, 0x38, 2), 0x33u);
  EXPECT_EQ(at(context, 0x3a, 2), 1u);
  EXPECT_EQ(at(context, 0x3c, 2), 2u);
  EXPECT_EQ(at(context, 0x3e, 2), 3u);
  EXPECT_EQ(at(context, 0x40, 2), 4u);
  EXPECT_EQ(at(context, 0x42, 2), 0x2bu);
  EXPECT_EQ(at(context, 0x44, 4), 0x246u);
  // Rax to R15, then Rip: in the processor's numbering.
  for (std::size_t i = 0; i < 17; ++i) EXPECT_EQ(at(context, 0x78 + 8 * i), 0x100 + i) << i;
  EXPECT_EQ(at(context, 0x100 + 24, 4), 0x1f80u);
  EXPECT_EQ(at(context, 0x100 + 160), 0x77u);
}

TEST(Context, FlagsSayWhatIsKnown) {
  CpuContext registers = sample();
  registers.fxsave.clear();
  EXPECT_EQ(at(make_context(registers), 0x30, 4), 0x100007u);
  registers.xsave.assign(832, std::byte{0});
  registers.xsave[160] = std::byte{0x55};
  EXPECT_EQ(at(make_context(registers), 0x30, 4), 0x10000fu);
  EXPECT_EQ(at(make_context(registers), 0x1a0), 0x55u);
  registers.xsave.clear();
  registers.complete = false;
  EXPECT_EQ(at(make_context(registers), 0x30, 4), 0x100001u);
}

}  // namespace
}  // namespace doppel::minidump
