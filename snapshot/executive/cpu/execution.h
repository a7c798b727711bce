// SPDX-License-Identifier: Apache-2.0
//
// The semantics of one decoded instruction. Knows nothing of fetching and caching.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_CPU_EXECUTION_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_CPU_EXECUTION_H_

#include <snapshot/executive/cpu/cpu.h>

namespace doppel {

/// Executes `instruction`, which stands at registers.rip; promises as Cpu::step().
StepKind execute_instruction(const Instruction& instruction, GuestRegisters& registers,
                             GuestMemory& memory, GuestException& exception);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_CPU_EXECUTION_H_
