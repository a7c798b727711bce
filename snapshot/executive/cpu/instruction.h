// SPDX-License-Identifier: Apache-2.0
//
// One decoded instruction in the form that the guest CPU executes and its cache keeps: what to do
// and with which operands, free of encodings. It does not hold its own address, so that the same
// bytes serve wherever their physical page is mapped.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_CPU_INSTRUCTION_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_CPU_INSTRUCTION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace doppel {

enum class Operation : std::uint8_t {
  unsupported,  ///< valid bytes outside the subset, or no instruction at all
  mov,
  movzx,
  movsx,
  lea,
  xchg,
  push,
  pop,
  leave,
  add,
  adc,
  sub,
  sbb,
  cmp,
  inc,
  dec,
  neg,
  bit_and,
  bit_or,
  bit_xor,
  bit_not,
  test,
  shl,
  shr,
  sar,
  rol,
  ror,
  rcl,
  rcr,
  shld,
  shrd,
  mul,
  imul_wide,
  imul,
  div,
  idiv,
  widen_accumulator,
  sign_to_data,
  bt,
  bts,
  btr,
  btc,
  bsf,
  bsr,
  tzcnt,
  lzcnt,
  popcnt,
  bswap,
  xadd,
  cmpxchg,
  jmp,
  jcc,
  jrcxz,
  call,
  ret,
  setcc,
  cmovcc,
  movs,
  stos,
  lods,
  scas,
  cmps,
  clc,
  stc,
  cmc,
  cld,
  std,
  nop,
  pause,
  int3,
  ud2,
  syscall,
};

inline constexpr std::uint8_t kNoRegister = 0xff, kInstructionPointer = 0xfe;

struct Operand {
  enum class Kind : std::uint8_t { none, reg, memory, immediate };
  Kind kind = Kind::none;
  std::uint8_t size = 0;                                            ///< bytes
  std::uint8_t reg = 0;                                             ///< register: its encoding
  bool high = false;                                                ///< register: AH CH DH BH
  std::uint8_t base = kNoRegister, index = kNoRegister, scale = 1;  ///< memory
  bool gs = false;                                                  ///< memory: relative to the TEB
  std::int64_t value = 0;  ///< immediate, branch distance, or displacement
};

struct Instruction {
  enum class Repeat : std::uint8_t { none, plain, while_equal, while_not_equal };
  Operation operation = Operation::unsupported;
  std::uint8_t length = 0;      ///< bytes, 1..15; 0 where the bytes are no instruction
  std::uint8_t condition = 0;   ///< low nibble of Jcc, SETcc, CMOVcc
  std::uint8_t width = 0;       ///< operand size in bytes
  bool narrow_address = false;  ///< 67h: addresses of 32 bits
  Repeat repeat = Repeat::none;
  std::array<Operand, 3> operands{};
};

/// Decodes what stands at the start of `bytes` (at most 15 are looked at). Where fewer bytes are
/// given than the instruction has, `length` is 0 and `truncated` is set. Thread-safe.
Instruction decode_instruction(std::span<const std::byte> bytes, bool& truncated);

/// The instruction in words ("cpuid", "(bad)"), for the report of one outside the subset.
std::string instruction_text(std::span<const std::byte> bytes, std::uint64_t address);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_CPU_INSTRUCTION_H_
