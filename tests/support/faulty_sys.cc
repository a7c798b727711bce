// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#include <cstdlib>
#include <new>

#include <tests/support/faulty_sys.h>

namespace doppel {

namespace {

constexpr unsigned long long kHelperStack = 8;  // of the helper task, which makes a clone call too

}  // namespace

struct FaultySys::Shared {
  std::atomic<int> calls{0};
  std::atomic<int> role_calls{0};
  std::atomic<int> denials{0};
  std::atomic<bool> fired{false};
  std::atomic<long> foreign_thread{0};
  std::atomic<bool> hit_while_foreign{false};
  std::atomic<long> hit_number{0};
  std::atomic<long> hit_argument{0};
};

FaultySys::FaultySys(const FaultPlan& plan) : plan_(plan), command_(::getpid()) {
  void* at =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) std::abort();
  shared_ = new (at) Shared;
}

FaultySys::~FaultySys() {
  ::munmap(shared_, sizeof(Shared));
}

long FaultySys::judge(long number, long a, long b) {
  const int call = shared_->calls.fetch_add(1) + 1;
  const bool in_command = ::getpid() == command_;
  const bool counted = plan_.kill_role == FaultPlan::Role::anyone ||
                       (plan_.kill_role == FaultPlan::Role::command) == in_command;
  const int role_call = counted ? shared_->role_calls.fetch_add(1) + 1 : 0;
  if (plan_.kill_at != 0 && role_call == plan_.kill_at) {
    shared_->hit_number = number;
    shared_->hit_argument = a;
    shared_->hit_while_foreign = shared_->foreign_thread != 0;
    shared_->fired = true;
    ::kill(::getpid(), SIGKILL);
  }
  if (call == plan_.fail_at) {
    shared_->hit_number = number;
    shared_->hit_argument = a;
    shared_->fired = true;
    return -plan_.error;
  }
  if (number >= 0 && number == plan_.deny_number &&
      (plan_.deny_first_argument == -1 || plan_.deny_first_argument == a) &&
      (plan_.deny_second_argument == -1 || plan_.deny_second_argument == b)) {
    shared_->denials.fetch_add(1);
    return -plan_.deny_error;
  }
  return 0;
}

long FaultySys::invoke(long number, long a, long b, long c, long d, long e, long f) {
  const long wrong = judge(number, a, b);
  if (wrong == 0) {
    const long value = Sys::invoke(number, a, b, c, d, e, f);
    if (number == SYS_ptrace && value >= 0) note_registers(a, b, d);
    return value;
  }
  // A close that fails has closed all the same: Linux frees the descriptor first.
  if (number == SYS_close) Sys::invoke(number, a, b, c, d, e, f);
  return wrong;
}

void FaultySys::note_registers(long a, long b, long d) {
  if (a != PTRACE_SETREGSET) return;
  const auto* registers =
      static_cast<const user_regs_struct*>(reinterpret_cast<const iovec*>(d)->iov_base);
  // An injected call comes from user mode (orig_rax -1) with its number in rax; only these two are
  // made by a thread of the target.
  const bool foreign = registers->orig_rax == ~0ull &&
                       (registers->rax == SYS_clone || registers->rax == SYS_wait4) &&
                       registers->rsp != kHelperStack;
  if (foreign) {
    shared_->foreign_thread = b;
  } else if (shared_->foreign_thread == b) {
    shared_->foreign_thread = 0;
  }
}

long FaultySys::fork() {
  const long wrong = judge(-1, 0, 0);
  return wrong == 0 ? Sys::fork() : wrong;
}

bool FaultySys::hit_while_foreign() const {
  return shared_->hit_while_foreign;
}

bool FaultySys::fired() const {
  return shared_->fired;
}

long FaultySys::hit_number() const {
  return shared_->hit_number;
}

long FaultySys::hit_argument() const {
  return shared_->hit_argument;
}

int FaultySys::calls() const {
  return shared_->calls;
}

int FaultySys::denials() const {
  return shared_->denials;
}

}  // namespace doppel
