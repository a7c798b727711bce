// SPDX-License-Identifier: Apache-2.0
//
// What every step of an injection needs to know, and where a thread can be made to call from.
// Internal to the injection: clone_injection.cc makes the clone, clone_removal.cc takes it away.
#ifndef DOPPEL_SNAPSHOT_LINUX_INJECTION_SCENE_H_
#define DOPPEL_SNAPSHOT_LINUX_INJECTION_SCENE_H_

#include <algorithm>
#include <optional>
#include <string>

#include <snapshot/linux/clone_injection.h>
#include <snapshot/linux/gadget.h>
#include <snapshot/linux/remote_calls.h>

namespace doppel {

/// References outlive it; made anew where the target may run another program by now.
struct InjectionScene {
  Sys& sys;
  const TargetProcess& target;
  int memory_fd;
  const CaptureArena& arena;
  const SnapshotOrders& orders;
  std::optional<Address> vdso_gadget;

  std::optional<Address> gadget_for(FrozenThread& thread) const {
    if (!thread.record().has_registers || !thread.tracee().stopped()) return std::nullopt;
    const X86_64Registers& registers = thread.record().registers;
    if (thread.tracee().stop().kind == StopKind::signal)
      return std::nullopt;  // it has an errand of its own
    if (!may_be_borrowed(sys, memory_fd, thread.tracee(), registers)) return std::nullopt;
    const std::optional<Address> own = find_own_gadget(sys, memory_fd, registers);
    return own ? own : vdso_gadget;
  }

  /// Errc::cancelled when the target has replaced its address space since `memory_fd` was opened:
  /// what we know of it, the addresses of gadgets first of all, is of another program.
  Result<> still_the_same_program() const {
    std::byte byte{};
    if (orders.vdso.value == 0 || sys.pread(memory_fd, &byte, 1, orders.vdso.value) == 1) return {};
    return fail(Errc::cancelled, "stop threads: it runs another program now",
                std::to_string(target.pid()));
  }

  void note_injection(const RemoteCalls& calls) const {
    std::uint64_t& longest = arena.header().injection_ns;
    longest = std::max(longest, calls.foreign_ns());
  }
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_INJECTION_SCENE_H_
