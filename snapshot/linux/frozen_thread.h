// SPDX-License-Identifier: Apache-2.0
//
// One thread of the target that is to be held: attached to, ordered to stop, read, and released as
// if nothing had been. It keeps what must be known before the stop to hide it afterwards.
#ifndef DOPPEL_SNAPSHOT_LINUX_FROZEN_THREAD_H_
#define DOPPEL_SNAPSHOT_LINUX_FROZEN_THREAD_H_

#include <cstdint>
#include <optional>

#include <snapshot/linux/capture_arena.h>
#include <snapshot/linux/sleep_clock.h>
#include <snapshot/linux/target_process.h>
#include <snapshot/linux/tracee.h>

namespace doppel {

/// What is known of the target before it is touched, and what to ask of each thread.
struct TraceSettings {
  unsigned long options = 0;   ///< PTRACE_O_* for the target's threads
  bool shadow_stacks = false;  ///< the target has them: read the register
  bool io_bitmaps = false;     ///< it may use I/O ports: read the bitmaps
};

class FrozenThread {
 public:
  /// Attaches; the thread runs on. `record` is to be filled, `xsave` and `io_bitmap` are its room.
  static Result<FrozenThread> attach(Sys& sys, const TargetProcess& target, pid_t tid,
                                     const TraceSettings& settings, ThreadRecord& record,
                                     std::span<std::byte> xsave, std::span<std::byte> io_bitmap);

  /// Takes over a thread that the calling thread traces already.
  static FrozenThread adopt(Sys& sys, const TargetProcess& target, pid_t tid,
                            const TraceSettings& settings, ThreadRecord& record,
                            std::span<std::byte> xsave, std::span<std::byte> io_bitmap);

  pid_t tid() const { return tracee_.tid(); }

  Tracee& tracee() { return tracee_; }

  const Tracee& tracee() const { return tracee_; }

  ThreadRecord& record() const { return *record_; }

  bool was_running() const { return record_->was_running; }

  /// It waited in vfork when it was looked at before the stop: it stops only when its child
  /// executes.
  bool in_vfork() const { return in_vfork_; }

  bool ordered() const { return ordered_ns_ != 0; }

  /// Notes since when it sleeps, if it is in a call whose time-out stands in a register. Before the
  /// stop.
  void note_sleep(SleepClock& clock);
  /// Orders the stop; returns at once.
  Result<> order();
  /// Waits until `deadline_ns` for the stop and reads all registers into the record. Without a stop
  /// by then, or when the thread is dead, nothing is read; tracee() tells. Errc::cancelled: it runs
  /// another program now.
  Result<> collect(std::uint64_t deadline_ns);
  /// Lets it go on, its interrupted call taken up again. Returns how long it was held, in ns.
  Result<std::uint64_t> release();

 private:
  FrozenThread(Tracee tracee, const TargetProcess& target, const TraceSettings& settings,
               ThreadRecord& record, std::span<std::byte> xsave, std::span<std::byte> io_bitmap)
      : tracee_(std::move(tracee)),
        target_(&target),
        settings_(&settings),
        record_(&record),
        xsave_(xsave),
        io_bitmap_(io_bitmap) {}

  Tracee tracee_;
  const TargetProcess* target_;
  const TraceSettings* settings_;
  ThreadRecord* record_;
  std::span<std::byte> xsave_;
  std::span<std::byte> io_bitmap_;
  std::uint64_t attached_ns_ = 0;
  std::uint64_t ordered_ns_ = 0;
  std::optional<Sleep> sleep_;
  bool in_vfork_ = false;
};

/// The state letter in the text of /proc/PID/stat; '?' when there is none.
char state_in_stat(const char* stat);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_FROZEN_THREAD_H_
