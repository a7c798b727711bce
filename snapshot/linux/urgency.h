// SPDX-License-Identifier: Apache-2.0
//
// How soon a task of ours gets a processor. While the target is held, whoever works for it must not
// queue behind others on a busy machine; afterwards the clone must not be ahead of them. Both are
// best effort: a plain user may not put itself first.
#ifndef DOPPEL_SNAPSHOT_LINUX_URGENCY_H_
#define DOPPEL_SNAPSHOT_LINUX_URGENCY_H_

#include <sys/types.h>

#include <array>
#include <cstddef>

#include <snapshot/support/sys.h>

namespace doppel {

/// Puts a task of ours (0: the calling thread), leader of a session of its own, before everything
/// ordinary: the lowest real-time priority, which its children do not inherit, or failing that the
/// best nice value.
void hasten(Sys& sys, pid_t task);

/// Back among the ordinary, with the nice value `nice` and its session's usual weight.
void calm(Sys& sys, pid_t task, int nice);

/// While it lives, the calling thread and the tasks that it works on by turns run on one processor:
/// each hand over to the other without waking a processor that sleeps, or waiting for one that a
/// hypervisor has taken away (measured: 4 ms a call instead of 20 us).
class SameProcessor {
 public:
  explicit SameProcessor(Sys& sys);
  SameProcessor(const SameProcessor&) = delete;
  SameProcessor& operator=(const SameProcessor&) = delete;
  /// The calling thread may run where it could before; the tasks stay.
  ~SameProcessor();

  /// Puts a task there; what it makes is born there.
  void share(pid_t task) const;

 private:
  static constexpr std::size_t kWords = 128;  // 8192 processors, as many as the kernel knows

  Sys& sys_;
  std::array<unsigned long, kWords> before_{};
  std::array<unsigned long, kWords> one_{};
  bool pinned_ = false;
};

/// The task may run on any processor that its control group allows.
void run_anywhere(Sys& sys, pid_t task);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_URGENCY_H_
