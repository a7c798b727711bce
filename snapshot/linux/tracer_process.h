// SPDX-License-Identifier: Apache-2.0
//
// The short-lived process of our own that does all tracing. It stands apart - own session, signals
// blocked, memory locked, nothing open but what it needs - so that Ctrl-C or SIGKILL of the
// capturing process leaves it alive: it then puts the target right, removes the clone and ends.
// When it is the one that is killed, the kernel lets the target's threads go and kills the clone,
// and the capturing process starts another to collect what is left.
#ifndef DOPPEL_SNAPSHOT_LINUX_TRACER_PROCESS_H_
#define DOPPEL_SNAPSHOT_LINUX_TRACER_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <span>
#include <string>

#include <snapshot/linux/capture_arena.h>
#include <snapshot/linux/clone_injection.h>
#include <snapshot/linux/target_process.h>
#include <snapshot/support/result.h>
#include <snapshot/support/unique_fd.h>

namespace doppel {

/// Files of the clone (of the target itself, without a clone) and of the target, opened by the
/// tracer: under Yama's scope 1 only the tracer may.
struct CloneFiles {
  UniqueFd memory;
  UniqueFd pagemap;
  UniqueFd maps;
  UniqueFd smaps;
  UniqueFd target_memory;
  UniqueFd target_pagemap;
};

class TracerProcess {
 public:
  /// Starts the tracer, which takes the snapshot; returns when the target runs again. What was
  /// found stands in `arena`. The arguments outlive the result.
  static Result<std::unique_ptr<TracerProcess>> start(Sys& sys, const TargetProcess& target,
                                                      const CaptureArena& arena,
                                                      const SnapshotOrders& orders);

  TracerProcess(const TracerProcess&) = delete;
  TracerProcess& operator=(const TracerProcess&) = delete;
  /// finish(), its result unseen.
  ~TracerProcess();

  const CloneFiles& files() const { return files_; }

  pid_t clone() const { return arena_.header().clone; }

  /// The clone is to give these pages back. Returns at once; done soon. Not thread-safe.
  void release(std::span<const AddressRange> ranges);
  /// Ends the clone and the tracer. Errc::timeout: something is left in the target; the subject
  /// says what.
  Result<> finish();

 private:
  TracerProcess(Sys& sys, const TargetProcess& target, const CaptureArena& arena,
                const SnapshotOrders& orders)
      : sys_(sys), target_(target), arena_(arena), orders_(orders) {}

  Result<> launch(bool repair);
  Result<> await_reply(CloneFiles* files);
  void bury();

  Sys& sys_;
  const TargetProcess& target_;
  const CaptureArena& arena_;
  const SnapshotOrders& orders_;
  UniqueFd socket_;
  pid_t pid_ = 0;
  CloneFiles files_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_TRACER_PROCESS_H_
