// SPDX-License-Identifier: Apache-2.0
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include <snapshot/linux/tracee.h>

namespace doppel {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

void* number(unsigned long value) {
  return reinterpret_cast<void*>(value);
}

/// A call that puts something back is worth a second and a third try: giving up would harm the
/// target.
template <class Call>
long persist(Call call) {
  long value = call();
  for (int attempt = 0; attempt < 2 && value < 0 && value != -ESRCH; ++attempt) value = call();
  return value;
}

}  // namespace

Result<Tracee> Tracee::seize(Sys& sys, pid_t tid, unsigned long options) {
  DOPPEL_TRY(check(sys.ptrace(PTRACE_SEIZE, tid, nullptr, number(options)), "attach to thread",
                   std::to_string(tid)));
  return Tracee(sys, tid);
}

Tracee Tracee::adopt(Sys& sys, pid_t tid) {
  return Tracee(sys, tid);
}

Tracee::Tracee(Tracee&& other) noexcept
    : sys_(other.sys_), tid_(std::exchange(other.tid_, 0)), stop_(other.stop_) {}

Tracee& Tracee::operator=(Tracee&& other) noexcept {
  std::swap(sys_, other.sys_);
  std::swap(tid_, other.tid_);
  std::swap(stop_, other.stop_);
  return *this;
}

Tracee::~Tracee() {
  if (tid_ == 0) return;
  if (dead()) {
    reap();
    return;
  }
  if (!stopped()) {
    // Only a stopped thread can be detached. A stop that was ordered comes within microseconds,
    // unless the thread sleeps uninterruptibly: then it stays traced until this process ends.
    (void)interrupt();
    (void)wait(monotonic_ns() + kSecond / 20);
    if (dead()) {
      reap();
      return;
    }
  }
  if (stopped()) (void)detach();
}

Result<> Tracee::interrupt() {
  DOPPEL_TRY(check(sys_->ptrace(PTRACE_INTERRUPT, tid_, nullptr, nullptr), "stop thread",
                   std::to_string(tid_)));
  return {};
}

Result<> Tracee::wait(std::uint64_t deadline_ns) {
  Result<Stop> stop = wait_stop(*sys_, tid_, deadline_ns);
  if (!stop) {
    // No tracee of ours any more: an exec by another thread took its id, or it was reaped with its
    // process.
    if (stop.error().code == Errc::gone) {
      stop_ = {StopKind::exited, 0};
      return {};
    }
    return fail(std::move(stop.error()));
  }
  stop_ = *stop;
  return {};
}

Result<> Tracee::get_registers(X86_64Registers& to) const {
  iovec vector{&to, sizeof to};
  DOPPEL_TRY(check(sys_->ptrace(PTRACE_GETREGSET, tid_, number(NT_PRSTATUS), &vector),
                   "read registers of thread", std::to_string(tid_)));
  return {};
}

Result<> Tracee::set_registers(const X86_64Registers& from) {
  X86_64Registers copy = from;
  iovec vector{&copy, sizeof copy};
  const long value =
      persist([&] { return sys_->ptrace(PTRACE_SETREGSET, tid_, number(NT_PRSTATUS), &vector); });
  DOPPEL_TRY(check(value, "set registers of thread", std::to_string(tid_)));
  return {};
}

Result<std::size_t> Tracee::get_register_set(unsigned type, std::span<std::byte> to) const {
  iovec vector{to.data(), to.size()};
  const long value = sys_->ptrace(PTRACE_GETREGSET, tid_, number(type), &vector);
  if (value == -ENODEV || value == -EINVAL || value == -EIO) {
    return fail(Errc::unsupported, "read register set of thread", std::to_string(tid_),
                static_cast<int>(-value));
  }
  DOPPEL_TRY(check(value, "read register set of thread", std::to_string(tid_)));
  return vector.iov_len;
}

Result<> Tracee::set_options(unsigned long options) {
  DOPPEL_TRY(check(sys_->ptrace(PTRACE_SETOPTIONS, tid_, nullptr, number(options)),
                   "set trace options of thread", std::to_string(tid_)));
  return {};
}

Result<pid_t> Tracee::new_task() const {
  unsigned long message = 0;
  const long value =
      persist([&] { return sys_->ptrace(PTRACE_GETEVENTMSG, tid_, nullptr, &message); });
  DOPPEL_TRY(check(value, "learn id of new task", std::to_string(tid_)));
  return static_cast<pid_t>(message);
}

Result<> Tracee::get_siginfo(siginfo_t& to) const {
  DOPPEL_TRY(check(sys_->ptrace(PTRACE_GETSIGINFO, tid_, nullptr, &to), "read signal of thread",
                   std::to_string(tid_)));
  return {};
}

Result<> Tracee::run_to_syscall() {
  const int signal = stop_.kind == StopKind::signal ? stop_.signal : 0;
  const long value = persist([&] {
    return sys_->ptrace(PTRACE_SYSCALL, tid_, nullptr, number(static_cast<unsigned long>(signal)));
  });
  DOPPEL_TRY(check(value, "run thread", std::to_string(tid_)));
  stop_ = {};
  return {};
}

Result<> Tracee::resume() {
  const int signal = stop_.kind == StopKind::signal ? stop_.signal : 0;
  const long value = persist([&] {
    return sys_->ptrace(PTRACE_CONT, tid_, nullptr, number(static_cast<unsigned long>(signal)));
  });
  DOPPEL_TRY(check(value, "run thread", std::to_string(tid_)));
  stop_ = {};
  return {};
}

Result<> Tracee::detach() {
  const int signal = stop_.kind == StopKind::signal ? stop_.signal : 0;
  const long value = persist([&] {
    return sys_->ptrace(PTRACE_DETACH, tid_, nullptr, number(static_cast<unsigned long>(signal)));
  });
  if (value == -ESRCH) {
    // Killed while it stood still. Its death is ours to consume, or its process could never go.
    (void)wait(monotonic_ns() + kSecond);
    if (dead()) {
      reap();
      return {};
    }
  }
  DOPPEL_TRY(check(value, "release thread", std::to_string(tid_)));
  tid_ = 0;
  return {};
}

void Tracee::kill() {
  (void)persist([&] { return sys_->kill(tid_, SIGKILL); });
}

void Tracee::reap() {
  siginfo_t info{};
  (void)persist([&] { return sys_->waitid(P_PID, tid_, &info, WEXITED | WNOHANG | __WALL); });
  tid_ = 0;
}

}  // namespace doppel
