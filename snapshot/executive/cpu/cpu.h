// SPDX-License-Identifier: Apache-2.0
//
// The guest CPU: executes one instruction of a guest at a time, deterministically and with precise
// faults. It knows registers and the memory port; processes, threads and system services are its
// callers' business.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_CPU_CPU_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_CPU_CPU_H_

#include <cstdint>
#include <string>

#include <snapshot/executive/cpu/decode_cache.h>
#include <snapshot/executive/cpu/guest_memory.h>
#include <snapshot/executive/cpu/registers.h>

namespace doppel {

enum class StepKind : std::uint8_t {
  retired,  ///< one instruction, or one iteration of a repeated string instruction
  pause,    ///< retired, and it was PAUSE: the thread gives up its turn
  syscall,  ///< retired SYSCALL: rcx = next rip, r11 = flags; the service runs before the next step
  exception,  ///< nothing retired; registers and memory as before the instruction, rip at it
};

/// Not thread-safe. One CPU may serve many threads and address spaces in turn; it has no state but
/// its cache.
class Cpu {
 public:
  /// Executes the instruction at `registers.rip`. `exception` is meaningful for StepKind::exception
  /// only.
  StepKind step(GuestRegisters& registers, GuestMemory& memory, GuestException& exception);

  /// After ILLEGAL_INSTRUCTION: the instruction's name, "(bad)" for none. Reads it again through
  /// `memory`.
  std::string describe(const GuestRegisters& registers, GuestMemory& memory);

  const DecodeCache& cache() const { return cache_; }

 private:
  DecodeCache cache_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_CPU_CPU_H_
