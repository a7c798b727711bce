// SPDX-License-Identifier: Apache-2.0
//
// The text of the files in /proc/PID that say who a process is and what its threads do, as structs.
// Pure functions: text in, values out. Names are chosen by the target, so the text is hostile; a
// file of a younger kernel has more in it, one of an older kernel less: a field that is not there
// keeps its default or stays empty.
//
// It must not know where the text came from. Formats: fs/proc/array.c, fs/proc/base.c,
// kernel/sched/debug.c; Documentation/filesystems/proc.rst.
#ifndef DOPPEL_SNAPSHOT_LINUX_PROC_PARSER_H_
#define DOPPEL_SNAPSHOT_LINUX_PROC_PARSER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <snapshot/model/process_image.h>
#include <snapshot/support/result.h>

namespace doppel {

/// Flags of ProcStat::flags (include/linux/sched.h).
inline constexpr std::uint64_t kTaskExiting = 0x4;              // PF_EXITING
inline constexpr std::uint64_t kTaskForkedNoExec = 0x40;        // PF_FORKNOEXEC
inline constexpr std::uint64_t kTaskKernelThread = 0x00200000;  // PF_KTHREAD

/// /proc/PID/stat or /proc/PID/task/TID/stat. In the former times and faults are those of the whole
/// group. Ids are as the reader of the file sees them.
struct ProcStat {
  std::int32_t pid = 0;
  std::string comm;  ///< as it is: may hold blanks, parentheses and newlines
  char state = '?';
  std::int32_t parent = 0, group = 0, session = 0;
  std::uint64_t flags = 0;
  std::uint64_t user_ticks = 0, system_ticks = 0;
  std::int64_t children_user_ticks = 0, children_system_ticks = 0;
  std::int64_t priority = 0, nice = 0;
  std::int64_t threads = 0;
  std::uint64_t start_ticks = 0;   ///< after boot
  std::uint64_t virtual_size = 0;  ///< bytes
  std::int64_t resident_pages = 0;
  std::int32_t exit_signal = 0;
  std::int32_t processor = 0;
};

/// Errc::malformed when the first 22 fields are not there.
Result<ProcStat> parse_stat(std::string_view text);

/// Clock ticks (USER_HZ, 100 on x86-64 whatever the kernel's own clock) as microseconds.
constexpr std::uint64_t ticks_to_us(std::uint64_t ticks) {
  return ticks * 10'000;
}

/// The four numbers of an "Uid:" or "Gid:" line.
struct IdSet {
  std::uint32_t real = 0, effective = 0, saved = 0, filesystem = 0;
  bool operator==(const IdSet&) const = default;
};

enum class Seccomp { none = 0, strict = 1, filter = 2 };

/// /proc/PID/status or /proc/PID/task/TID/status. Masks: bit n-1 is signal n.
struct ProcStatus {
  std::string name;
  char state = '?';
  std::int32_t thread_group = 0, pid = 0, parent = 0;
  std::int32_t tracer = 0;  ///< 0: none, or one in a pid namespace that the reader cannot see
  IdSet uid, gid;
  /// From the reader's pid namespace inwards: the last is the task's own idea of its id. Empty
  /// where the kernel does not say (no CONFIG_PID_NS).
  std::vector<std::int32_t> namespace_group_ids;  ///< NStgid
  std::vector<std::int32_t> namespace_ids;        ///< NSpid
  std::vector<std::int32_t> namespace_groups;     ///< NSpgid
  std::vector<std::int32_t> namespace_sessions;   ///< NSsid
  std::int64_t threads = 0;
  std::uint64_t signals_pending = 0;        ///< SigPnd: the thread's own
  std::uint64_t group_signals_pending = 0;  ///< ShdPnd
  std::uint64_t signals_blocked = 0, signals_ignored = 0, signals_caught = 0;
  std::uint64_t capabilities_inheritable = 0, capabilities_permitted = 0,
                capabilities_effective = 0, capabilities_bounding = 0, capabilities_ambient = 0;
  bool no_new_privileges = false;
  Seccomp seccomp = Seccomp::none;
  std::optional<std::uint64_t> seccomp_filters;  ///< count; since 5.9
  /// Bytes. Absent in a task without an address space (kernel thread, zombie).
  std::optional<std::uint64_t> virtual_size, locked, pinned, resident, resident_anonymous,
      resident_file, resident_shared, page_tables, swapped, hugetlb;
  bool core_dumping = false;
  bool thp_enabled = true;
  std::string x86_features;         ///< "shstk wrss", empty when none or not said (before 6.6)
  std::string x86_features_locked;  ///< same
  std::uint64_t voluntary_switches = 0, involuntary_switches = 0;

  bool shadow_stack() const { return x86_features.find("shstk") != std::string::npos; }
};

/// Errc::malformed when the ids or the state are not there.
Result<ProcStatus> parse_status(std::string_view text);

/// /proc/PID/auxv of a 64-bit process: pairs up to AT_NULL, which is not kept.
struct AuxEntry {
  std::uint64_t type = 0, value = 0;
  bool operator==(const AuxEntry&) const = default;
};

std::vector<AuxEntry> parse_auxv(std::span<const std::byte> bytes);
std::optional<std::uint64_t> find_aux(const std::vector<AuxEntry>& auxv, std::uint64_t type);

/// /proc/PID/syscall: what a task that does not run is waiting in.
struct ProcSyscall {
  bool running = false;      ///< on a processor or ready for one: nothing else is known
  std::int64_t number = -1;  ///< -1: blocked outside a system call (a page fault, a stop)
  std::array<std::uint64_t, 6> arguments{};
  std::uint64_t stack_pointer = 0, program_counter = 0;
};

Result<ProcSyscall> parse_syscall(std::string_view text);

/// /proc/PID/sched (needs CONFIG_SCHED_DEBUG): when the task last began to run, and how often it
/// went to sleep. While a task sleeps `exec_start_ns` stands at the last update before the sleep.
/// The clock is the scheduler's (sched_clock: nanoseconds since boot, close to but not the same as
/// CLOCK_MONOTONIC).
struct ProcSched {
  std::uint64_t exec_start_ns = 0;
  std::uint64_t voluntary_switches = 0;
  std::uint64_t involuntary_switches = 0;
};

Result<ProcSched> parse_sched(std::string_view text);

/// A line of /proc/PID/limits; absent: unlimited.
struct ProcLimit {
  std::string name;  ///< "Max processes"
  std::optional<std::uint64_t> soft, hard;
  bool operator==(const ProcLimit&) const = default;
};

std::vector<ProcLimit> parse_limits(std::string_view text);

/// /proc/PID/io, bytes and counts.
struct ProcIo {
  std::uint64_t read_chars = 0, written_chars = 0, read_calls = 0, write_calls = 0;
  std::uint64_t read_bytes = 0, written_bytes = 0, cancelled_bytes = 0;
};

ProcIo parse_io(std::string_view text);

/// Fills the fields of the model that these files know. `parent`, the status of the parent process,
/// tells how a process in a pid namespace of its own sees that parent; without it
/// `namespace_parent` is 0 there, as it is for a parent outside the namespace. Signals pending
/// become the union of the thread's own and the group's for the process, the thread's own for a
/// thread.
void describe_process(const ProcStat& stat, const ProcStatus& status, const ProcStatus* parent,
                      ProcessInfo& process);
void describe_thread(const ProcStat& stat, const ProcStatus& status, Thread& thread);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_PROC_PARSER_H_
