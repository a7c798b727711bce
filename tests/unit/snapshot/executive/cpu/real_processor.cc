// SPDX-License-Identifier: Apache-2.0
#include "real_processor.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <initializer_list>
#include <utility>

namespace doppel {
namespace {

/// The child: maps both pieces at their places and waits to be stepped.
[[noreturn]] void run_child(void* code, void* data) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto place = [](void* from, std::uint64_t to, std::size_t size) {
    return mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, reinterpret_cast<void*>(to)) ==
           reinterpret_cast<void*>(to);
  };
  const bool placed =
      place(code, RealProcessor::kCode, RealProcessor::kCodeSize) &&
      place(data, RealProcessor::kData, RealProcessor::kDataSize) &&
      mprotect(reinterpret_cast<void*>(RealProcessor::kCode), RealProcessor::kCodeSize,
               PROT_READ | PROT_EXEC) == 0 &&
      mprotect(reinterpret_cast<void*>(RealProcessor::kData + RealProcessor::kDataSize - 4096),
               4096, PROT_READ) == 0;
  // The kernel writes into the area of restartable sequences at every switch; it will be unmapped.
  if (__rseq_size != 0) {
    auto* const area = static_cast<std::byte*>(__builtin_thread_pointer()) + __rseq_offset;
    syscall(SYS_rseq, area, sizeof(struct rseq), RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
  }
  if (!placed || ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(1);
  raise(SIGSTOP);
  _exit(2);
}

/// The registers in the order of their encoding.
void copy_general(user_regs_struct& kernel, GuestRegisters& guest, bool to_kernel) {
  unsigned long long* const places[] = {&kernel.rax, &kernel.rcx, &kernel.rdx, &kernel.rbx,
                                        &kernel.rsp, &kernel.rbp, &kernel.rsi, &kernel.rdi,
                                        &kernel.r8,  &kernel.r9,  &kernel.r10, &kernel.r11,
                                        &kernel.r12, &kernel.r13, &kernel.r14, &kernel.r15};
  for (std::size_t i = 0; i < 16; ++i) {
    if (to_kernel)
      *places[i] = guest.general[i];
    else
      guest.general[i] = *places[i];
  }
}

}  // namespace

RealProcessor::RealProcessor() {
  const auto shared = [](std::size_t size) {
    void* made = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return made == MAP_FAILED ? nullptr : static_cast<std::byte*>(made);
  };
  code_ = shared(kCodeSize);
  data_ = shared(kDataSize);
  if (code_ == nullptr || data_ == nullptr) return;
  // Not fork(): a sanitizer would start threads of its own in the child.
  child_ = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, 0));
  if (child_ == 0) run_child(code_, data_);
  int status = 0;
  if (child_ < 0 || waitpid(child_, &status, 0) != child_ || !WIFSTOPPED(status)) return;
  ok_ = ptrace(PTRACE_GETREGS, child_, nullptr, &template_) == 0;
  template_.orig_rax = ~0ull;  // no system call to restart
  // Nothing else is left in it: a stray address must fault, whatever the loader or a sanitizer
  // mapped. It runs no code of its own any more.
  constexpr std::uint64_t kEnd = 0x7ffffffff000;
  ok_ = ok_ && unmap(0, kCode) && unmap(kCode + kCodeSize, kData) && unmap(kData + kDataSize, kEnd);
}

bool RealProcessor::unmap(std::uint64_t begin, std::uint64_t end) {
  code_[0] = std::byte{0x0f};  // syscall
  code_[1] = std::byte{0x05};
  user_regs_struct kernel = template_;
  kernel.rip = kCode;
  kernel.rax = SYS_munmap;
  kernel.rdi = begin;
  kernel.rsi = end - begin;
  int status = 0;
  return ptrace(PTRACE_SETREGS, child_, nullptr, &kernel) == 0 &&
         ptrace(PTRACE_SINGLESTEP, child_, nullptr, nullptr) == 0 &&
         waitpid(child_, &status, 0) == child_ && WIFSTOPPED(status) &&
         ptrace(PTRACE_GETREGS, child_, nullptr, &kernel) == 0 && kernel.rax == 0;
}

RealProcessor::~RealProcessor() {
  if (child_ > 0) {
    kill(child_, SIGKILL);
    int status = 0;
    waitpid(child_, &status, 0);
  }
  if (code_ != nullptr) munmap(code_, kCodeSize);
  if (data_ != nullptr) munmap(data_, kDataSize);
}

int RealProcessor::step(GuestRegisters& registers, bool& breakpoint) {
  user_regs_struct kernel = template_;
  copy_general(kernel, registers, true);
  kernel.rip = registers.rip;
  kernel.gs_base = registers.gs_base;
  kernel.eflags = registers.flags;
  int status = 0;
  if (ptrace(PTRACE_SETREGS, child_, nullptr, &kernel) != 0 ||
      ptrace(PTRACE_SINGLESTEP, child_, nullptr, nullptr) != 0 ||
      waitpid(child_, &status, 0) != child_ || !WIFSTOPPED(status) ||
      ptrace(PTRACE_GETREGS, child_, nullptr, &kernel) != 0)
    return 0;
  siginfo_t why{};
  ptrace(PTRACE_GETSIGINFO, child_, nullptr, &why);
  breakpoint = WSTOPSIG(status) == SIGTRAP && why.si_code == SI_KERNEL;
  copy_general(kernel, registers, false);
  registers.rip = kernel.rip;
  registers.flags = static_cast<std::uint32_t>(kernel.eflags);
  return WSTOPSIG(status);
}

}  // namespace doppel
