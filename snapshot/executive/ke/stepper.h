// SPDX-License-Identifier: Apache-2.0
//
// Who runs next, one instruction at a time. One step is one guest instruction or one wake-up of a
// wait; it costs 100 ns of virtual time. When only timers remain, time leaps to the next.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_KE_STEPPER_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_KE_STEPPER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <snapshot/executive/cpu/cpu.h>
#include <snapshot/executive/ob/object.h>
#include <snapshot/executive/ps/thread.h>

namespace doppel {

class Executive;

enum class SchedulePolicy : std::uint8_t { round_robin, seeded, scripted };

struct Schedule {
  SchedulePolicy policy = SchedulePolicy::round_robin;
  std::uint32_t quantum = 50;         ///< instructions before another thread's turn
  std::vector<std::uint32_t> script;  ///< thread ids, one quantum each; then round robin
};

enum class StepOutcome : std::uint8_t {
  progress,   ///< all steps were made, or the predicate holds
  idle,       ///< no thread can run, and none waits for anything but a crash port or its resumption
  deadlock,   ///< threads wait, and nobody is left who could wake them
  max_steps,  ///< the predicate does not hold yet
};

class Stepper {
 public:
  explicit Stepper(Executive& executive);
  Stepper(const Stepper&) = delete;
  Stepper& operator=(const Stepper&) = delete;
  ~Stepper();

  /// At most `count` steps.
  StepOutcome step(std::uint64_t count = 1);
  /// Until `holds` does; asked before each step.
  StepOutcome run_until(const std::function<bool()>& holds, std::uint64_t max_steps);

  /// Steps made since boot.
  std::uint64_t steps() const { return steps_; }

  /// Over step, thread, rip, service and status of all that ran: equal for equal runs.
  std::uint64_t trace_hash() const { return hash_; }

  void mix(std::uint64_t value);

  /// The threads that wait, first come first; for ke/wait.h.
  std::vector<ObjectRef<NtThread>>& waiters() { return waiters_; }

  /// When the first of their waits is over; kept by ke/wait.h.
  std::optional<std::uint64_t> next_timer;

  /// The last instruction outside the processor's repertoire, by name, with its address; "" if
  /// none.
  const std::string& unknown_instruction() const { return unknown_instruction_; }

  /// The thread that runs now, or ran last; for NtYieldExecution. May be null.
  NtThread* current() const { return current_.get(); }

  void end_quantum() { left_ = 0; }

  /// `thread` has ended: nothing of it is kept.
  void forget(const NtThread& thread) {
    if (current_.get() == &thread) current_ = {};
  }

  Cpu& cpu() { return cpu_; }

 private:
  bool pick();
  void run_one(NtThread& thread);
  bool leap();

  Executive& executive_;
  Cpu cpu_;
  ObjectRef<NtThread> current_;
  std::uint32_t left_ = 0, last_ = 0;  ///< instructions of the quantum; id of who ran last
  std::size_t script_at_ = 0;
  std::uint64_t steps_ = 0, hash_ = 0, random_ = 0;
  std::vector<ObjectRef<NtThread>> waiters_;
  std::string unknown_instruction_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_KE_STEPPER_H_
