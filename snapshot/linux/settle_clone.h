// SPDX-License-Identifier: Apache-2.0
//
// What is done to the clone right after the target was released: it must not live or die with the
// service, must be the first that the kernel sacrifices when memory runs out, and must explain
// itself in `ps`. All of it is best effort: what is not permitted is skipped and said.
#ifndef DOPPEL_SNAPSHOT_LINUX_SETTLE_CLONE_H_
#define DOPPEL_SNAPSHOT_LINUX_SETTLE_CLONE_H_

#include <string>
#include <vector>

#include <snapshot/linux/clone_injection.h>

namespace doppel {

struct Settled {
  enum Step : std::uint32_t {
    kNoOomScore = 1,  ///< not first in line for the out-of-memory killer
    kSameCgroup = 2,  ///< still in the target's control group
    kNoName = 4,      ///< carries the target's name
  };

  std::uint32_t missed = 0;  ///< steps that could not be taken
  std::uint64_t page =
      0;  ///< address of a page that was added to the clone and is not the target's; 0: none
};

/// A sentence for each step of Settled::missed.
std::vector<std::string> settle_remarks(std::uint32_t missed);

/// Never fails: see Settled::missed.
Settled settle_clone(Sys& sys, const TargetProcess& target, InjectedClone& clone, int memory_fd);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_SETTLE_CLONE_H_
