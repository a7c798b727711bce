// SPDX-License-Identifier: Apache-2.0
//
// Everything about a process except its bytes. A value: copy it, compare it, print it.
#ifndef DOPPEL_SNAPSHOT_MODEL_PROCESS_IMAGE_H_
#define DOPPEL_SNAPSHOT_MODEL_PROCESS_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <snapshot/model/fault.h>
#include <snapshot/model/handle.h>
#include <snapshot/model/module.h>
#include <snapshot/model/omission.h>
#include <snapshot/model/region.h>
#include <snapshot/model/thread.h>
#include <snapshot/model/windows.h>

namespace doppel {

/// How long the target was held, and what was foretold. Microseconds; absent: not applicable.
struct CaptureTimings {
  std::uint64_t pause_us = 0;  ///< longest hold of any thread, from its own stop to its own release
  std::uint64_t running_pause_us = 0;    ///< the same over threads that were running
  std::uint64_t predicted_pause_us = 0;  ///< of pause_us, from page, mapping and thread counts
  std::uint64_t clone_us = 0;            ///< the one call that copies the page tables
  std::uint64_t injection_us =
      0;  ///< longest time a thread held foreign registers (the named limit)
  bool operator==(const CaptureTimings&) const = default;
};

/// Ids are as the one who captured sees them; `namespace_*` as the target's own pid namespace does.
struct ProcessInfo {
  std::int32_t pid = 0, parent = 0, group = 0, session = 0;
  std::int32_t namespace_pid = 0, namespace_parent = 0, namespace_group = 0, namespace_session = 0;
  std::uint32_t uid = 0, gid = 0;
  std::string comm;
  std::string executable;
  std::vector<std::string> arguments;
  char state = 'S';
  std::int32_t nice = 0;
  std::uint64_t flags = 0;  ///< the kernel's PF_ flags
  std::uint64_t user_time_us = 0, system_time_us = 0, children_user_time_us = 0,
                children_system_time_us = 0;
  std::uint64_t signals_pending = 0, signals_blocked = 0;
  std::uint64_t coredump_filter = 0;
  std::uint64_t start_ticks = 0;    ///< clock ticks after boot (field 22 of /proc/PID/stat)
  std::int64_t captured_at_ns = 0;  ///< the instant of the snapshot, nanoseconds since 1970 UTC
  std::string engine;               ///< "clone", "direct"
  std::string consistency;          ///< "instant", or what is weaker about it, in one clause
  std::string kernel;               ///< release of the running kernel
  std::string tool;                 ///< name and version of the writer
  CaptureTimings timings;
  std::vector<std::string> remarks;  ///< what the capture would have done and was not permitted to
  std::optional<WindowsProcess> windows = std::nullopt;  ///< present: a process of NT
  bool operator==(const ProcessInfo&) const = default;
};

/// Bytes that some formats carry as they are: "auxv", "limits", "cgroup", "maps", "environ".
struct Verbatim {
  std::string name;
  std::vector<std::byte> bytes;
  bool operator==(const Verbatim&) const = default;
};

struct ProcessImage {
  ProcessInfo process;
  std::vector<Region> regions;  ///< sorted, disjoint
  std::vector<Thread> threads;  ///< the first is the one a debugger shows first
  std::vector<Module> modules;
  std::vector<Handle> handles;  ///< described, not duplicated
  std::optional<Fault> fault;   ///< absent: taken on request
  std::vector<Verbatim> verbatim;
  std::vector<Omission> omissions;
  std::vector<TornRange> torn;
  bool operator==(const ProcessImage&) const = default;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_MODEL_PROCESS_IMAGE_H_
