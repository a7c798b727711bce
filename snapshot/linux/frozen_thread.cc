// SPDX-License-Identifier: Apache-2.0
#include <elf.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include <snapshot/linux/frozen_thread.h>
#include <snapshot/linux/proc_parser.h>
#include <snapshot/linux/restart.h>

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif
#ifndef NT_386_IOPERM
#define NT_386_IOPERM 0x201
#endif
#ifndef NT_X86_SHSTK
#define NT_X86_SHSTK 0x204
#endif

namespace doppel {

char state_in_stat(const char* stat) {
  // Behind the last parenthesis: the name before it may hold any.
  const char* at = std::strrchr(stat, ')');
  return at != nullptr && at[1] == ' ' && at[2] != '\0' ? at[2] : '?';
}

Result<FrozenThread> FrozenThread::attach(Sys& sys, const TargetProcess& target, pid_t tid,
                                          const TraceSettings& settings, ThreadRecord& record,
                                          std::span<std::byte> xsave,
                                          std::span<std::byte> io_bitmap) {
  Tracee tracee = DOPPEL_TRY(Tracee::seize(sys, tid, settings.options));
  FrozenThread thread(std::move(tracee), target, settings, record, xsave, io_bitmap);
  thread.attached_ns_ = monotonic_ns();
  return thread;
}

FrozenThread FrozenThread::adopt(Sys& sys, const TargetProcess& target, pid_t tid,
                                 const TraceSettings& settings, ThreadRecord& record,
                                 std::span<std::byte> xsave, std::span<std::byte> io_bitmap) {
  FrozenThread thread(Tracee::adopt(sys, tid), target, settings, record, xsave, io_bitmap);
  thread.attached_ns_ = monotonic_ns();
  return thread;
}

void FrozenThread::note_sleep(SleepClock& clock) {
  char buffer[256];
  const std::string name = "task/" + std::to_string(tid()) + "/syscall";
  Result<std::span<char>> text = target_->read_into(name.c_str(), buffer);
  if (!text) return;
  Result<ProcSyscall> call = parse_syscall(std::string_view(text->data(), text->size()));
  if (!call || call->running || call->number < 0) return;
  in_vfork_ = record_->state == 'D' && (call->number == SYS_vfork || call->number == SYS_clone ||
                                        call->number == SYS_clone3);
  X86_64Registers registers;
  registers.orig_rax = static_cast<std::uint64_t>(call->number);
  registers.r10 = call->arguments[3];
  if (register_timeout_ms(registers) <= 0) return;
  Result<ProcStat> stat = parse_stat(record_->stat);
  if (stat) sleep_ = clock.sleep_of(*target_, tid(), stat->processor);
}

Result<> FrozenThread::order() {
  const std::uint64_t now = monotonic_ns();
  Result<> ordered = tracee_.interrupt();
  if (!ordered && ordered.error().code == Errc::gone) ordered = {};  // collect() sees its death
  if (ordered) ordered_ns_ = now;
  return ordered;
}

Result<> FrozenThread::collect(std::uint64_t deadline_ns) {
  DOPPEL_TRY(tracee_.wait(deadline_ns));
  if (!tracee_.stopped()) return {};
  const Stop& stop = tracee_.stop();
  if (stop.kind == StopKind::exec) {
    return fail(Errc::cancelled, "stop threads: it runs another program now",
                std::to_string(tid()));
  }
  // A signal may have stopped it at any time since it was attached to.
  if (stop.kind == StopKind::signal) ordered_ns_ = std::min(ordered_ns_, attached_ns_);
  record_->stopped = true;
  DOPPEL_TRY(tracee_.get_registers(record_->registers));
  record_->has_registers = true;
  Result<std::size_t> size = tracee_.get_register_set(NT_X86_XSTATE, xsave_);
  // A processor without XSAVE has the older set, which stands first in the area all the same.
  if (!size && size.error().code == Errc::unsupported) {
    size = tracee_.get_register_set(NT_PRFPREG, xsave_);
  }
  if (size) record_->xsave_size = static_cast<std::uint32_t>(*size);
  if (stop.kind == StopKind::signal) {
    siginfo_t info{};
    static_assert(sizeof info == sizeof record_->siginfo);
    if (tracee_.get_siginfo(info)) {
      std::memcpy(record_->siginfo, &info, sizeof info);
      record_->has_siginfo = true;
    }
  }
  if (settings_->shadow_stacks) {
    record_->has_shadow_stack =
        tracee_
            .get_register_set(NT_X86_SHSTK,
                              std::as_writable_bytes(std::span(&record_->shadow_stack_pointer, 1)))
            .has_value();
  }
  if (settings_->io_bitmaps) {
    Result<std::size_t> bitmap = tracee_.get_register_set(NT_386_IOPERM, io_bitmap_);
    if (bitmap) record_->io_bitmap_size = static_cast<std::uint32_t>(*bitmap);
  }
  return {};
}

Result<std::uint64_t> FrozenThread::release() {
  const X86_64Registers& registers = record_->registers;
  // In a process that was stopped before we came (group stop) EINTR is its own: SIGCONT shows it.
  const StopKind kind = tracee_.stop().kind;
  const bool ours = kind == StopKind::trap || kind == StopKind::signal;
  Result<> set;
  if (record_->has_registers && ours && shows_eintr(registers)) {
    X86_64Registers again = begun_again(registers);
    if (sleep_ && register_timeout_ms(registers) > 0) {
      const auto timeout = static_cast<std::uint64_t>(register_timeout_ms(registers));
      const std::uint64_t slept = SleepClock::slept_ms(*target_, tid(), *sleep_);
      again.r10 = timeout > slept ? timeout - slept : 0;
    }
    set = tracee_.set_registers(again);
  }
  // Whatever came of that, the thread must run on.
  DOPPEL_TRY(tracee_.detach());
  record_->hold_ns = monotonic_ns() - ordered_ns_;
  DOPPEL_TRY(std::move(set));
  return record_->hold_ns;
}

}  // namespace doppel
