// SPDX-License-Identifier: Apache-2.0
//
// A thread object: registers, TEB, suspension, and what it waits for. Data with the counts that
// belong to it; who changes the state is the stepper (ke/stepper.h), the waits (ke/wait.h) and the
// native calls.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_PS_THREAD_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_PS_THREAD_H_

#include <cstdint>
#include <optional>
#include <string>

#include <snapshot/executive/io/file_lock.h>
#include <snapshot/executive/nt_status.h>
#include <snapshot/executive/ob/object.h>
#include <snapshot/executive/ps/context.h>

namespace doppel {

class Process;

/// Suspension is orthogonal: a thread runs only when it is ready and its suspend count is 0.
enum class ThreadState : std::uint8_t { initialized, ready, running, waiting, terminated };

enum class WaitKind : std::uint8_t { none, object, delay, crash_port, file_lock };

struct ThreadWait {
  WaitKind kind = WaitKind::none;
  ObjectRef<Object> object;               ///< that is waited for, or the locked file object
  std::optional<std::uint64_t> deadline;  ///< virtual time; absent: for ever
  FileLock lock;                          ///< WaitKind::file_lock
  std::uint64_t result = 0;               ///< where the woken call stores its IO_STATUS_BLOCK, or 0
};

inline constexpr std::uint32_t kMaximumSuspendCount = 127;

class NtThread final : public Object {
 public:
  NtThread(std::uint32_t thread_id, ObjectRef<Process> owner, Counters& counters);

  /// Neither suspended nor waiting nor dead.
  bool runnable() const {
    return (state == ThreadState::ready || state == ThreadState::running) && suspend_count == 0;
  }

  bool terminated() const { return state == ThreadState::terminated; }

  const std::uint32_t id;
  ObjectRef<Process> process;
  ThreadState state = ThreadState::initialized;
  std::uint32_t suspend_count = 0;
  NtContext context;
  std::uint64_t teb = 0, start_address = 0;
  std::uint64_t stack_base = 0, stack_limit = 0;  ///< as in the TEB when the thread was made
  AccessMask self_access = 0;                     ///< of the pseudo handle -2
  ThreadWait wait;
  NtStatus exit_status = status::pending;
  std::uint64_t create_time = 0, exit_time = 0;  ///< virtual time, 100 ns
  std::uint64_t instructions = 0;                ///< retired
  std::string name;

 private:
  ~NtThread() override;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_PS_THREAD_H_
