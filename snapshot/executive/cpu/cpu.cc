// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>

#include <snapshot/executive/cpu/cpu.h>
#include <snapshot/executive/cpu/execution.h>

namespace doppel {
namespace {

/// The bytes at rip from up to two pages; `count` are there. False when even the first byte cannot
/// be fetched. `second` is the exception of the second page, code 0 when it was not needed or is
/// there.
bool fetch_bytes(std::uint64_t rip, GuestMemory& memory, std::array<std::byte, 15>& bytes,
                 std::size_t& count, GuestException& first, GuestException& second) {
  CodePage page;
  if (!memory.fetch(rip, page, first)) return false;
  const std::uint64_t offset = rip % kGuestPageSize;
  count = std::min<std::size_t>(bytes.size(), kGuestPageSize - offset);
  std::memcpy(bytes.data(), page.bytes + offset, count);
  if (count == bytes.size() || !memory.fetch(rip + count, page, second)) return true;
  std::memcpy(bytes.data() + count, page.bytes, bytes.size() - count);
  count = bytes.size();
  second = {};
  return true;
}

/// 48-bit addresses whose upper bits repeat bit 47; others never reach the page tables.
bool is_canonical(std::uint64_t address) {
  return address + (std::uint64_t{1} << 47) < (std::uint64_t{1} << 48);
}

}  // namespace

StepKind Cpu::step(GuestRegisters& registers, GuestMemory& memory, GuestException& exception) {
  const std::uint64_t rip = registers.rip;
  CodePage page;
  if (!is_canonical(rip)) {
    exception = {kGuestAccessViolation, 2, {8, rip}};
    return StepKind::exception;
  }
  if (!memory.fetch(rip, page, exception)) return StepKind::exception;
  const Instruction* instruction =
      cache_.find(page, static_cast<std::uint32_t>(rip % kGuestPageSize));
  Instruction straddling;
  if (instruction == nullptr) {
    std::array<std::byte, 15> bytes;
    std::size_t count = 0;
    GuestException beyond;
    if (!fetch_bytes(rip, memory, bytes, count, exception, beyond)) return StepKind::exception;
    bool truncated = false;
    straddling = decode_instruction({bytes.data(), count}, truncated);
    if (truncated) {
      exception = beyond;
      return StepKind::exception;
    }
    instruction = &straddling;
  }
  return execute_instruction(*instruction, registers, memory, exception);
}

std::string Cpu::describe(const GuestRegisters& registers, GuestMemory& memory) {
  std::array<std::byte, 15> bytes;
  std::size_t count = 0;
  GuestException first;
  GuestException second;
  if (!fetch_bytes(registers.rip, memory, bytes, count, first, second)) return "(bad)";
  return instruction_text({bytes.data(), count}, registers.rip);
}

}  // namespace doppel
