// SPDX-License-Identifier: Apache-2.0
//
// While a dump is written, every page that the target changes costs a page more. Ten times a second
// this looks at what memory is left - of the machine, and of the target's own memory cgroup and
// those above it - and at how long tasks stand still for want of it (PSI), and decides whether the
// clone must be given up before the kernel looks for a victim. The deciding is a pure function of
// two readings.
//
// Thresholds, and why:
// - Head-room below a floor: 2 % of the memory in question, at least 32 MiB and at most 1 GiB.
// Below
//   it reclaim is already frantic and one burst of writes ends in the OOM killer.
// - Head-room that will fall below that floor within 300 ms at the speed of the last reading:
//   three readings' time, to decide and to give gigabytes of pages back.
// - Memory that reclaim can take back (inactive and active file pages, reclaimable slab) counts as
//   head-room: a cgroup stands at its limit by mere page cache all day long.
// - memory.high counts like memory.max: beyond it the kernel does not kill, but throttles the
//   target hard, and a dump must not cost that.
// - Swap counts as head-room of the machine: before it is full nobody is killed. That swapping
// makes
//   the machine stand still is what the next one is for.
// - PSI: all tasks stood still for want of memory ("full") for 40 % of the last second, and at
//   least twice as much as over the ten seconds before the capture.
#ifndef DOPPEL_CLI_WATCHDOG_H_
#define DOPPEL_CLI_WATCHDOG_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <snapshot/support/sys.h>

namespace doppel {

/// What is left of one pool of memory: the machine's, or a cgroup's. Bytes.
struct PoolReading {
  std::string name;         ///< "the machine", "cgroup /system.slice/x.service"
  std::uint64_t total = 0;  ///< RAM, or the cgroup's limit
  std::uint64_t left = 0;   ///< what can still be had, reclaimable memory included
  bool operator==(const PoolReading&) const = default;
};

/// Time that all tasks stood still for want of memory, since boot (the "full" line of PSI).
struct StallReading {
  std::string name;
  std::uint64_t total_us = 0;
  double share_before = 0;  ///< 0..1: over the last ten seconds, as the kernel averages ("avg10")
  bool operator==(const StallReading&) const = default;
};

struct MemoryReading {
  std::chrono::steady_clock::time_point at;
  std::vector<PoolReading> pools;
  std::vector<StallReading> stalls;
};

/// The least that must be left of a pool of `total` bytes.
std::uint64_t head_room_floor(std::uint64_t total);

/// Why the clone must be given up, in one clause; nothing when it may live on. `before`: the
/// reading before this one. `window`: the newest that is a second old or older, if there is any
/// yet; `baseline`: the first of all. Pools and stalls are matched by name.
std::optional<std::string> must_give_up(const MemoryReading& now, const MemoryReading& before,
                                        const MemoryReading* window, const MemoryReading& baseline);

// ---- the texts of the kernel, pure ----

/// /proc/meminfo: MemTotal, and MemAvailable + SwapFree. Nothing when a field is missing.
std::optional<PoolReading> parse_meminfo(std::string_view text);
/// The "full" line of /proc/pressure/memory or memory.pressure.
std::optional<StallReading> parse_pressure(std::string_view text, std::string name);
/// Head-room of a cgroup. `limit_texts`: contents of memory.max and memory.high (v2) or
/// memory.limit_in_bytes (v1); the lowest counts, "max" is none. `stat`: memory.stat, for what can
/// be reclaimed. Nothing when there is no limit.
std::optional<PoolReading> parse_cgroup_memory(std::string name, std::string_view usage,
                                               const std::vector<std::string>& limit_texts,
                                               std::string_view stat);

/// Reads it all. The cgroup's directories are found once, at construction; what cannot be read is
/// left out. Used by one thread.
class MemoryWatch {
 public:
  MemoryWatch(Sys& sys, std::int32_t target);
  MemoryReading read() const;

 private:
  struct Directory {
    std::string name;
    std::string path;
    bool unified = false;
  };

  Sys& sys_;
  std::vector<Directory> directories_;  ///< the target's cgroup and those above it
};

}  // namespace doppel

#endif  // DOPPEL_CLI_WATCHDOG_H_
