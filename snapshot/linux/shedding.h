// SPDX-License-Identifier: Apache-2.0
//
// What memory still claims after its process and its descriptors are gone: a mapping keeps the open
// file alive, and with it a lock taken through that file, a ring and the sockets registered with
// it, a SysV attachment, a device, a mount. The holder gives these mappings up - small ones are
// read first - and then looks whether anything is held still, and says what and why.
#ifndef DOPPEL_SNAPSHOT_LINUX_SHEDDING_H_
#define DOPPEL_SNAPSHOT_LINUX_SHEDDING_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <snapshot/linux/handover.h>
#include <snapshot/model/region.h>

namespace doppel {

/// A mapping that must go, and what it claims.
struct Claim {
  std::size_t region = 0;  ///< index
  std::string what;        ///< "flock on /srv/db", "SysV shared memory SYSV0000002a", ...
  bool operator==(const Claim&) const = default;
};

/// By address. Shared mappings of files in /dev/shm, and of memory without a name, claim nothing.
std::vector<Claim> find_claims(const std::vector<Region>& regions,
                               const std::vector<HeldLock>& locks);

struct GivenUp {
  Region region;
  std::string what;
  bool copied = false;  ///< its bytes were read first, and stand in the arena
};

struct AllClear {
  std::vector<GivenUp> given_up;
  /// What is still held, with the reason, one line each. "mount of /srv (/srv/app is mapped)".
  std::vector<std::string> held;
  std::uint32_t settle_missed = 0;  ///< Settled::Step bits
  std::uint64_t own_page = 0;       ///< see Settled::page

  bool all() const { return held.empty(); }
};

/// After hand_over(), before the process is reaped: gives up what can be given up, makes the memory
/// dumpable again and the holder an orphan that disturbs nobody, and checks. Never fails; what
/// could not be done stands in `held`.
AllClear shed(Sys& sys, const TargetProcess& target, HandedOver& taken);

/// Looks what is held after all, as the kernel shows it, and appends it to clear.held. Nobody need
/// wait for that: to read /proc/locks takes the kernel milliseconds (fs/locks.c locks_start() waits
/// for every processor).
void verify_clear(Sys& sys, const HandedOver& taken, AllClear& clear);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_SHEDDING_H_
