// SPDX-License-Identifier: Apache-2.0
//
// All threads of a process stopped, with their registers in the arena. Sleeping threads are stopped
// first and cost the program little; running ones last, and they are released first: their hold is
// what a user feels. Dropped without thaw(), it releases all that it holds.
#ifndef DOPPEL_SNAPSHOT_LINUX_FREEZE_H_
#define DOPPEL_SNAPSHOT_LINUX_FREEZE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include <snapshot/linux/capture_arena.h>
#include <snapshot/linux/frozen_thread.h>

namespace doppel {

class Freeze {
 public:
  /// Attaches to all threads, sleeping ones first. None is stopped yet. The arguments outlive the
  /// result.
  static Result<Freeze> attach(Sys& sys, const TargetProcess& target, const CaptureArena& arena,
                               const TraceSettings& settings);

  Freeze(Freeze&&) = default;
  Freeze& operator=(Freeze&&) = delete;
  ~Freeze();

  /// Stops the sleeping threads and reads their registers. A thread that does not stop within 50 ms
  /// (it sleeps uninterruptibly, or waits for its vfork child) becomes a laggard: it would stop
  /// before it ran any code of the program.
  Result<> stop_sleeping();
  /// Stops the running threads and those that came since, until none is new.
  Result<> stop_running();
  /// Releases all but `host`: running ones first, then in the order of their stops.
  Result<> thaw_all_but(const FrozenThread* host);
  /// Releases one that is held.
  Result<> thaw(FrozenThread& thread);

  /// Threads attached to, in the order of their stops. They stay where they are while they live.
  const std::vector<std::unique_ptr<FrozenThread>>& threads() const { return threads_; }

  /// Threads that did not stop in time, still attached to. The caller lets each go when it stops,
  /// or leaves that to the kernel, which does it when this process ends.
  std::vector<std::unique_ptr<FrozenThread>> take_laggards() { return std::move(laggards_); }

 private:
  Freeze(Sys& sys, const TargetProcess& target, const CaptureArena& arena,
         const TraceSettings& settings)
      : sys_(&sys), target_(&target), arena_(&arena), settings_(&settings) {}

  Result<bool> attach_new(bool order_at_once);
  Result<> collect(FrozenThread& thread);
  Result<> stop_range(std::size_t first, std::size_t last);
  void reap_dead(const FrozenThread& waited_for);
  void set_aside();

  Sys* sys_;
  const TargetProcess* target_;
  const CaptureArena* arena_;
  const TraceSettings* settings_;
  std::vector<std::unique_ptr<FrozenThread>> threads_;
  std::vector<std::unique_ptr<FrozenThread>> laggards_;
  /// Dead ones. Kept: one of them may be the thread that was borrowed, and is still referred to.
  std::vector<std::unique_ptr<FrozenThread>> gone_;
  std::size_t zombies_ = 0;  // dead or dying threads that cannot be attached to, but still count
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_FREEZE_H_
