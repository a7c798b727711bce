// SPDX-License-Identifier: Apache-2.0
//
// Everything that could forbid or spoil a capture, found before the target is touched: only files
// of /proc and /sys are read, no signal is sent, nothing is attached. `doppel doctor` prints the
// value, a capture obeys it.
//
// It must not know what an engine does about a gate. What cannot be read is said (GateId::unknown),
// never assumed.
#ifndef DOPPEL_SNAPSHOT_LINUX_PREFLIGHT_H_
#define DOPPEL_SNAPSHOT_LINUX_PREFLIGHT_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <snapshot/linux/gate.h>
#include <snapshot/linux/maps_parser.h>
#include <snapshot/linux/proc_parser.h>
#include <snapshot/linux/proc_reader.h>
#include <snapshot/model/backend.h>
#include <snapshot/model/region.h>
#include <snapshot/support/result.h>
#include <snapshot/support/sys.h>

namespace doppel {

struct PreflightOptions {
  bool force_undumpable = false;             ///< as in CaptureRequest
  SharedMemory shared = SharedMemory::live;  ///< as in CaptureRequest
  std::uint64_t pinned_limit = 64ull << 20;  ///< pinned bytes above which no clone is made
};

/// What a thread was doing when it was looked at.
struct ThreadFacts {
  pid_t id = 0;
  std::string name;
  char state = '?';
  Seccomp seccomp = Seccomp::none;
  pid_t tracer = 0;
  std::uint64_t signals_blocked = 0;
  std::optional<ProcSyscall> syscall;  ///< absent where the kernel would not say
  /// Waits for a child of vfork or posix_spawn: does not stop before the child execs or exits.
  bool in_vfork = false;
  /// What it forks comes into another pid or time namespace than its own (unshare(2), setns(2)).
  bool children_elsewhere = false;
};

/// What a clone has to reckon with in memory. Bytes unless said otherwise.
struct MemoryFacts {
  std::uint64_t total = 0, available = 0;  ///< of the machine
  std::uint64_t swap_total = 0;
  std::uint64_t page_tables = 0;       ///< of the target: a clone needs as much at once
  std::uint64_t private_writable = 0;  ///< resident: what copy-on-write could at most double
  std::optional<std::uint64_t> cgroup_headroom;  ///< least over the cgroup and those above it
  std::string cgroup;  ///< the directory that is tightest, or the target's own
  bool cgroup_unified = false;
  bool oom_group = false;  ///< the kernel would kill the whole cgroup
};

struct Preflight {
  pid_t pid = 0;
  bool exists = false;  ///< `stat` and `status` hold something
  ProcStat stat;
  ProcStatus status;
  std::string executable;  ///< the link /proc/PID/exe; empty where it cannot be read

  bool may_attach = false;        ///< the kernel's own answer, for ptrace and /proc/PID/mem
  std::optional<bool> dumpable;   ///< absent: cannot be told from outside
  std::optional<int> yama_scope;  ///< absent: no Yama
  bool privileged = false;        ///< we hold CAP_SYS_PTRACE
  /// PTRACE_O_SUSPEND_SECCOMP will be granted: CAP_SYS_ADMIN, no filter on ourselves, a kernel with
  /// CONFIG_CHECKPOINT_RESTORE.
  bool can_suspend_seccomp = false;
  /// At least one thread is under seccomp: injected calls need it suspended.
  bool any_thread_filtered = false;
  bool namespace_init = false;  ///< PID 1 of its pid namespace
  bool in_container = false;    ///< another pid, user or mount namespace than ours
  bool io_ports = true;         ///< this kernel has ioperm: a thread may have an I/O bitmap

  bool mappings_known = false;
  std::vector<Region> regions;         ///< sorted, disjoint; from smaps
  std::vector<MappingDetail> details;  ///< same length and order
  std::vector<ThreadFacts> threads;    ///< the leader first
  std::uint64_t pinned = 0;            ///< bytes known to be pinned: copied by fork
  MemoryFacts memory;

  /// measure_slowness(); 1 where we are too large ourselves to measure it.
  double slowness = 1;

  std::vector<Gate> gates;  ///< the gravest first; among equals in the order of GateId

  /// The first gate that stands against any capture, or null.
  const Gate* forbidding() const;
  /// The first gate that stands against a clone, or null. With `insist`, overridable ones do not
  /// count.
  const Gate* forbidding_clone(bool insist = false) const;
  const Gate* find(GateId id) const;
};

/// "NAME (pid 4711)"; the number alone where the name cannot be read.
std::string process_label(Sys& sys, pid_t pid);

/// Adds GateId::no_process.
void add_gone(Preflight& out);

/// Looks at process `pid`. Never fails: what goes wrong is a gate.
Preflight preflight(Sys& sys, pid_t pid, const PreflightOptions& options = {});

/// The same for a process that is already held by its directory, so that no number can be reused in
/// between.
Preflight preflight(Sys& sys, const ProcDir& process, const PreflightOptions& options = {});

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_PREFLIGHT_H_
