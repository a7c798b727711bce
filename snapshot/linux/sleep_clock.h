// SPDX-License-Identifier: Apache-2.0
//
// Since when does a thread sleep? When a call is begun again its time-out starts anew; the time
// already slept must be taken off, or a three-second wait would last longer for having been looked
// at. The scheduler knows: se.exec_start in /proc/TID/sched is the moment the thread left the
// processor, in that processor's own clock (rq_clock_task), which is compared here with
// CLOCK_MONOTONIC once per processor.
#ifndef DOPPEL_SNAPSHOT_LINUX_SLEEP_CLOCK_H_
#define DOPPEL_SNAPSHOT_LINUX_SLEEP_CLOCK_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>

#include <snapshot/linux/target_process.h>

namespace doppel {

/// A sleep that was under way before the stop.
struct Sleep {
  std::uint64_t since_ns = 0;  ///< CLOCK_MONOTONIC; never earlier than the truth
  std::uint64_t switches =
      0;  ///< voluntary switches so far: one more after the stop, or it was another sleep
};

class SleepClock {
 public:
  explicit SleepClock(Sys& sys) : sys_(sys) {}

  /// The sleep that thread `tid` is in, last seen on `processor`; nothing when the kernel does not
  /// tell. May move the calling thread to that processor and back.
  std::optional<Sleep> sleep_of(const TargetProcess& target, pid_t tid, int processor);

  /// Milliseconds that the thread, now stopped, had slept when it was stopped; 0 when it was not
  /// that sleep.
  static std::uint64_t slept_ms(const TargetProcess& target, pid_t tid, const Sleep& sleep);

 private:
  std::optional<std::int64_t> offset_of(int processor);

  Sys& sys_;
  std::map<int, std::optional<std::int64_t>> offsets_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_SLEEP_CLOCK_H_
