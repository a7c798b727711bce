// SPDX-License-Identifier: Apache-2.0
//
// The executive: the one owner of objects, memory, files, processes and virtual time. Its parts are
// in the folders below; native calls come in through native/nt_api.h (from C++) and
// native/dispatch.h (from a guest). Single-threaded and deterministic: the same options and the
// same calls give the same run, byte for byte; no host time, no address and no unordered container
// reaches a decision.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_EXECUTIVE_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_EXECUTIVE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <snapshot/executive/counters.h>
#include <snapshot/executive/fault_plan.h>
#include <snapshot/executive/io/file_system.h>
#include <snapshot/executive/ke/crash_port.h>
#include <snapshot/executive/ke/event.h>
#include <snapshot/executive/ke/stepper.h>
#include <snapshot/executive/mm/physical_memory.h>
#include <snapshot/executive/mm/section.h>
#include <snapshot/executive/nt_types.h>
#include <snapshot/executive/ob/directory.h>
#include <snapshot/executive/ps/process.h>
#include <snapshot/executive/ps/thread.h>

namespace doppel {

/// Debug builds look at the invariants after every call; others where it is asked for.
#ifdef DOPPEL_CHECK_INVARIANTS
inline constexpr bool kChecksInvariants = true;
#else
inline constexpr bool kChecksInvariants = false;
#endif

struct ExecutiveOptions {
  NtProfile profile = NtProfile::nt63;
  std::uint64_t seed = 1;
  Schedule schedule;                     ///< who runs next; the seed is that above
  std::uint64_t commit_limit = 65536;    ///< pages that may be promised
  std::uint32_t file_pages = 65536;      ///< physical pages beyond those, for file data
  std::size_t max_handles = 65536;       ///< of one process
  std::uint64_t disk_bytes = 256 << 20;  ///< what the volume holds
  bool check_invariants =
      kChecksInvariants;  ///< assert them after every native call and every 1024 steps
};

/// One native call, as the trace tells it.
struct TraceEvent {
  std::uint64_t step = 0;
  std::uint32_t process = 0, thread = 0;  ///< thread 0: a host actor
  std::string_view call;                  ///< such as "NtCreateFile"
  NtStatus status;
};

class Executive {
 public:
  explicit Executive(const ExecutiveOptions& options = {}, FaultPlan faults = {});
  Executive(const Executive&) = delete;
  Executive& operator=(const Executive&) = delete;
  /// Ends every process. Host actors are gone by then.
  ~Executive();

  const ExecutiveOptions& options() const { return options_; }

  /// Integrity levels came with Vista.
  bool has_integrity_levels() const { return options_.profile != NtProfile::nt52; }

  Counters& counters() { return counters_; }

  /// What counters() was when the executive had just been made (invariant I7).
  const Counters& boot_counters() const { return boot_counters_; }

  FaultPlan& faults() { return faults_; }

  PhysicalMemory& memory() { return memory_; }

  SectionFactory& sections() { return sections_; }

  FileSystem& files() const { return *files_; }

  Directory& root() { return *root_; }

  Directory& base_named_objects() { return *base_named_objects_; }

  Stepper& stepper() { return *stepper_; }

  /// Virtual time in 100 ns.
  std::uint64_t now() const { return now_; }

  void advance(std::uint64_t ticks) { now_ += ticks; }

  /// Nothing for an id that no object has.
  Process* find_process(std::uint32_t id) const;
  NtThread* find_thread(std::uint32_t id) const;

  /// All that are still referenced, dead ones too, by id.
  const std::map<std::uint32_t, Process*>& processes() const { return processes_; }

  const std::map<std::uint32_t, NtThread*>& threads() const { return threads_; }

  /// A new process or thread id: a multiple of 4, never used before.
  std::uint32_t take_id();

  /// The port of processes that have none of their own; may be empty.
  ObjectRef<CrashPort> system_crash_port;
  std::uint64_t next_crash_sequence = 1;
  /// All that exist, in the order of creation: an owner that dies abandons its own.
  std::vector<Mutant*> mutants;

  /// Gets every native call of guests and host actors after it has its status.
  std::function<void(const TraceEvent&)> on_call;

  /// For NtApi and dispatch: tells on_call and the trace hash.
  void trace(const TraceEvent& event);

  /// Events told so far.
  std::uint64_t traced() const { return traced_; }

  /// Names the first of I1 to I8 that does not hold; "" when all do. I7 is about counters() when
  /// everything is closed, and its callers' to check.
  std::string broken_invariant() const;

 private:
  friend class Process;
  friend class NtThread;

  ExecutiveOptions options_;
  FaultPlan faults_;
  Counters counters_, boot_counters_;
  PhysicalMemory memory_;
  SectionFactory sections_;
  ObjectRef<Directory> root_, base_named_objects_;
  std::unique_ptr<FileSystem> files_;
  std::unique_ptr<Stepper> stepper_;
  std::map<std::uint32_t, Process*> processes_;
  std::map<std::uint32_t, NtThread*> threads_;
  std::uint32_t next_id_ = 8;
  std::uint64_t now_ = 0;
  std::uint64_t traced_ = 0;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_EXECUTIVE_H_
