// SPDX-License-Identifier: Apache-2.0
//
// What the real processor cannot be asked: NT's view of exceptions, system calls, the page
// boundary, and code that changes itself.
#include <gtest/gtest.h>

#include <initializer_list>

#include "flat_memory.h"

#include <snapshot/executive/cpu/cpu.h>

namespace doppel {
namespace {

struct CpuTest : testing::Test {
  static constexpr std::uint64_t kCode = 0x140001000, kData = 0x200000;

  CpuTest() {
    memory.map(kCode, 0x1000, true, true);
    memory.map(kData, 0x1000, true, false);
    memory.map(kData + 0x1000, 0x1000, false, false);
    registers.rip = kCode;
    registers.general[kRsp] = kData + 0x800;
  }

  void code(std::initializer_list<unsigned> bytes, std::uint64_t at = kCode) {
    std::vector<std::byte> made;
    for (const unsigned byte : bytes) made.push_back(static_cast<std::byte>(byte));
    memory.poke(at, made);
  }

  /// Steps into an exception and checks that nothing else happened.
  GuestException fault() {
    const GuestRegisters before = registers;
    GuestException exception;
    EXPECT_EQ(cpu.step(registers, memory, exception), StepKind::exception);
    EXPECT_EQ(registers, before);
    return exception;
  }

  StepKind step() {
    GuestException exception;
    return cpu.step(registers, memory, exception);
  }

  FlatMemory memory;
  GuestRegisters registers;
  Cpu cpu;
};

TEST_F(CpuTest, ExceptionsHaveTheCodesOfNt) {
  code({0xcc});
  EXPECT_EQ(fault().code, kGuestBreakpoint);
  code({0x0f, 0x0b});
  EXPECT_EQ(fault().code, kGuestIllegalInstruction);
  code({0xf7, 0xf1});  // div ecx
  EXPECT_EQ(fault().code, kGuestIntegerDivideByZero);
  registers.general[kRcx] = 1;
  registers.general[kRdx] = 1;
  EXPECT_EQ(fault().code, kGuestIntegerOverflow);
}

TEST_F(CpuTest, AccessViolationNamesKindAndAddress) {
  registers.general[kRax] = 0x1234;
  code({0x48, 0x8b, 0x08});  // mov rcx, [rax]
  EXPECT_EQ(fault(), (GuestException{kGuestAccessViolation, 2, {0, 0x1234}}));
  registers.general[kRax] = kData + 0x1000;
  code({0x48, 0x01, 0x08});  // add [rax], rcx: readable, not writable
  EXPECT_EQ(fault(), (GuestException{kGuestAccessViolation, 2, {1, kData + 0x1000}}));
  registers.general[kRax] = kData + 0xffc;
  code({0x48, 0x89, 0x08});  // mov [rax], rcx: the second half may not be written
  EXPECT_EQ(fault(), (GuestException{kGuestAccessViolation, 2, {1, kData + 0x1000}}));
  registers.rip = kData;
  EXPECT_EQ(fault(), (GuestException{kGuestAccessViolation, 2, {8, kData}}));
}

TEST_F(CpuTest, AddressOutsideTheCanonicalHalvesIsReportedAsMinusOne) {
  registers.general[kRax] = 0x8000000000000000;
  code({0x48, 0x8b, 0x08});
  EXPECT_EQ(fault(), (GuestException{kGuestAccessViolation, 2, {0, ~std::uint64_t{0}}}));
}

TEST_F(CpuTest, PushOntoNothingLeavesTheStackPointer) {
  registers.general[kRsp] = 0x1000;
  code({0x50});
  EXPECT_EQ(fault(), (GuestException{kGuestAccessViolation, 2, {1, 0xff8}}));
  code({0xe8, 0, 0, 0, 0});
  EXPECT_EQ(fault(), (GuestException{kGuestAccessViolation, 2, {1, 0xff8}}));
}

TEST_F(CpuTest, SyscallSavesNextInstructionAndFlags) {
  code({0x0f, 0x05});
  registers.flags |= kCarryFlag;
  EXPECT_EQ(step(), StepKind::syscall);
  EXPECT_EQ(registers.rip, kCode + 2);
  EXPECT_EQ(registers.general[kRcx], kCode + 2);
  EXPECT_EQ(registers.general[kR11], registers.flags);
}

TEST_F(CpuTest, PauseIsToldApart) {
  code({0xf3, 0x90});
  EXPECT_EQ(step(), StepKind::pause);
  EXPECT_EQ(registers.rip, kCode + 2);
}

TEST_F(CpuTest, OutsideTheSubsetIsIllegalAndNamed) {
  code({0x0f, 0xa2});
  EXPECT_EQ(fault().code, kGuestIllegalInstruction);
  EXPECT_EQ(cpu.describe(registers, memory), "cpuid");
  code({0x0f, 0x58, 0xc1});
  EXPECT_EQ(fault().code, kGuestIllegalInstruction);
  EXPECT_EQ(cpu.describe(registers, memory), "addps xmm0, xmm1");
  code({0x06});
  EXPECT_EQ(fault().code, kGuestIllegalInstruction);
  EXPECT_EQ(cpu.describe(registers, memory), "(bad)");
}

TEST_F(CpuTest, InstructionAcrossTwoPages) {
  memory.map(kCode + 0x1000, 0x1000, false, true);
  code({0xb8, 0x78, 0x56, 0x34, 0x12}, kCode + 0xffe);  // mov eax, imm32
  registers.rip = kCode + 0xffe;
  EXPECT_EQ(step(), StepKind::retired);
  EXPECT_EQ(registers.general[kRax], 0x12345678u);
}

TEST_F(CpuTest, SecondPageOfAnInstructionFaultsAsFetch) {
  code({0xb8, 0x78}, kCode + 0xffe);
  registers.rip = kCode + 0xffe;
  EXPECT_EQ(fault(), (GuestException{kGuestAccessViolation, 2, {8, kCode + 0x1000}}));
}

TEST_F(CpuTest, LastInstructionOfAPageNeedsNoNextPage) {
  code({0x90}, kCode + 0xfff);
  registers.rip = kCode + 0xfff;
  EXPECT_EQ(step(), StepKind::retired);
  EXPECT_EQ(registers.rip, kCode + 0x1000);
}

TEST_F(CpuTest, CodeThatChangesItselfRunsAsChanged) {
  // mov byte [rip + 0], 0xcc; nop   - the nop becomes int3; once before, so that it is cached
  code({0x90}, kCode + 7);
  registers.rip = kCode + 7;
  EXPECT_EQ(step(), StepKind::retired);
  code({0xc6, 0x05, 0, 0, 0, 0, 0xcc});
  registers.rip = kCode;
  EXPECT_EQ(step(), StepKind::retired);
  EXPECT_EQ(fault().code, kGuestBreakpoint);
}

TEST_F(CpuTest, RepeatedStringInstructionStopsWhereItFaults) {
  registers.general[kRdi] = kData + 0xffe;
  registers.general[kRcx] = 4;
  code({0xf3, 0xaa});  // rep stosb
  EXPECT_EQ(step(), StepKind::retired);
  EXPECT_EQ(step(), StepKind::retired);
  EXPECT_EQ(fault(), (GuestException{kGuestAccessViolation, 2, {1, kData + 0x1000}}));
  EXPECT_EQ(registers.rip, kCode);
  EXPECT_EQ(registers.general[kRcx], 2u);
}

}  // namespace
}  // namespace doppel
