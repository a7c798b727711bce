// SPDX-License-Identifier: Apache-2.0
//
// The memory port of the guest CPU: the bytes of one address space as seen through its page tables.
// The CPU knows nothing of VADs, sections or copy-on-write; whoever implements the port resolves
// them (guard pages, demand-zero, write-copy) and says in a GuestException what the processor would
// have raised.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_CPU_GUEST_MEMORY_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_CPU_GUEST_MEMORY_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace doppel {

inline constexpr std::uint64_t kGuestPageSize = 4096;

/// The exceptions that the CPU itself raises; the port adds its own (GUARD_PAGE_VIOLATION,
/// STACK_OVERFLOW, IN_PAGE_ERROR). Values of ntstatus.h.
inline constexpr std::uint32_t kGuestBreakpoint = 0x80000003, kGuestAccessViolation = 0xC0000005,
                               kGuestIllegalInstruction = 0xC000001D,
                               kGuestIntegerDivideByZero = 0xC0000094,
                               kGuestIntegerOverflow = 0xC0000095;

/// The part of EXCEPTION_RECORD that depends on the cause; its address is the register rip, which
/// stays at the faulting instruction.
struct GuestException {
  std::uint32_t code = 0;
  std::uint32_t parameter_count = 0;
  /// Access violation: [0] is 0 read, 1 write, 8 execute; [1] the address.
  std::array<std::uint64_t, 3> parameters{};
  bool operator==(const GuestException&) const = default;
};

/// One page that may be executed.
struct CodePage {
  const std::byte* bytes =
      nullptr;              ///< kGuestPageSize bytes, valid until the next call of the port
  std::uint64_t frame = 0;  ///< which physical page; equal for all address spaces that share it
  /// Another value whenever a byte of the frame may have changed, through whatever mapping, and
  /// when the frame was given to another use. Equal frame and version promise equal bytes.
  std::uint64_t version = 0;
};

class GuestMemory {
 public:
  virtual ~GuestMemory() = default;

  /// The executable page that holds `address`; false with `exception` filled where the fetch
  /// faults.
  virtual bool fetch(std::uint64_t address, CodePage& page, GuestException& exception) = 0;

  /// Copies `size` (1..8) bytes out, across a page boundary where need be. All or nothing.
  virtual bool read(std::uint64_t address, void* bytes, std::uint32_t size,
                    GuestException& exception) = 0;

  /// As read(), for an instruction that will write the same bytes: it faults as a write does,
  /// before anything is read, and after success write() of the same range does not fail.
  virtual bool read_for_write(std::uint64_t address, void* bytes, std::uint32_t size,
                              GuestException& exception) = 0;

  /// Copies `size` (1..8) bytes in. All or nothing: a range whose second page faults leaves the
  /// first alone.
  virtual bool write(std::uint64_t address, const void* bytes, std::uint32_t size,
                     GuestException& exception) = 0;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_CPU_GUEST_MEMORY_H_
