// SPDX-License-Identifier: Apache-2.0
//
// The stepper. Threads are looked at in the order of their ids; the generator of the seeded policy
// is splitmix64 (public domain, Vigna).
#include <algorithm>
#include <cassert>
#include <vector>

#include <snapshot/executive/executive.h>
#include <snapshot/executive/ke/exception.h>
#include <snapshot/executive/ke/guest_view.h>
#include <snapshot/executive/ke/wait.h>
#include <snapshot/executive/native/dispatch.h>

namespace doppel {
namespace {

constexpr std::uint64_t kInvariantInterval = 1024;

std::uint64_t next_random(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

}  // namespace

Stepper::Stepper(Executive& executive)
    : executive_(executive), hash_(0xCBF29CE484222325), random_(executive.options().seed) {}

Stepper::~Stepper() = default;

void Stepper::mix(std::uint64_t value) {
  hash_ = (hash_ ^ value) * 0x9E3779B97F4A7C15;
  hash_ ^= hash_ >> 29;
}

/// Makes current_ a thread that may run; false when there is none.
bool Stepper::pick() {
  const bool preempted = executive_.faults().fault(FaultSite::sched_preempt);
  if (!preempted && left_ > 0 && current_ && current_->runnable()) return true;
  std::vector<NtThread*> ready;
  for (const auto& [id, thread] : executive_.threads()) {
    if (thread->runnable()) ready.push_back(thread);
  }
  if (ready.empty()) return false;
  const Schedule& schedule = executive_.options().schedule;
  NtThread* chosen = nullptr;
  if (schedule.policy == SchedulePolicy::scripted && script_at_ < schedule.script.size()) {
    const std::uint32_t wanted = schedule.script[script_at_++];
    const auto found = std::ranges::find(ready, wanted, &NtThread::id);
    if (found != ready.end()) chosen = *found;
  } else if (schedule.policy == SchedulePolicy::seeded) {
    chosen = ready[next_random(random_) % ready.size()];
  }
  if (chosen == nullptr) {
    const auto after =
        std::ranges::find_if(ready, [&](const NtThread* thread) { return thread->id > last_; });
    chosen = after != ready.end() ? *after : ready.front();
  }
  current_ = ObjectRef<NtThread>(chosen);
  last_ = chosen->id;
  left_ = std::max<std::uint32_t>(1, schedule.quantum);
  if (schedule.policy == SchedulePolicy::seeded)
    left_ = 1 + static_cast<std::uint32_t>(next_random(random_) % left_);
  return true;
}

/// Time leaps to the next timer; false when there is none.
bool Stepper::leap() {
  if (!next_timer) return false;
  if (*next_timer > executive_.now()) executive_.advance(*next_timer - executive_.now());
  fire_timers(executive_);
  return true;
}

void Stepper::run_one(NtThread& running) {
  const ObjectRef<NtThread> thread(&running);
  const ObjectRef<Process> process = thread->process;
  assert(thread->runnable());  // I6
  GuestRegisters& registers = thread->context.registers;
  process->started = true;
  thread->state = ThreadState::running;
  mix(thread->id);
  mix(registers.rip);
  GuestView view(*process->space, thread->teb);
  GuestException exception;
  const StepKind kind = cpu_.step(registers, view, exception);
  if (kind != StepKind::exception) ++thread->instructions;
  if (left_ > 0) --left_;
  switch (kind) {
    case StepKind::retired:
      return;
    case StepKind::pause:
      left_ = 0;
      return;
    case StepKind::syscall:
      system_service(executive_, *thread);
      return;
    case StepKind::exception:
      break;
  }
  if (exception.code == kGuestIllegalInstruction)
    unknown_instruction_ = cpu_.describe(registers, view);
  ExceptionRecord record{.code = {exception.code},
                         .flags = 0,
                         .address = registers.rip,
                         .parameter_count = exception.parameter_count,
                         .parameters = {}};
  std::ranges::copy(exception.parameters, record.parameters.begin());
  raise_exception(executive_, *thread, record, true);
}

StepOutcome Stepper::step(std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    if (next_timer && executive_.faults().fault(FaultSite::time_jump)) leap();
    if (pick()) {
      run_one(*current_);
      executive_.advance(1);
      if (next_timer && *next_timer <= executive_.now()) fire_timers(executive_);
    } else if (!leap()) {
      const bool waits = std::ranges::any_of(waiters_, [](const ObjectRef<NtThread>& thread) {
        return thread->wait.kind != WaitKind::crash_port;
      });
      return waits ? StepOutcome::deadlock : StepOutcome::idle;
    }
    ++steps_;
    if (executive_.options().check_invariants && steps_ % kInvariantInterval == 0)
      assert(executive_.broken_invariant().empty());
  }
  return StepOutcome::progress;
}

StepOutcome Stepper::run_until(const std::function<bool()>& holds, std::uint64_t max_steps) {
  for (std::uint64_t i = 0; i < max_steps; ++i) {
    if (holds()) return StepOutcome::progress;
    const StepOutcome outcome = step(1);
    if (outcome != StepOutcome::progress) return holds() ? StepOutcome::progress : outcome;
  }
  return holds() ? StepOutcome::progress : StepOutcome::max_steps;
}

}  // namespace doppel
