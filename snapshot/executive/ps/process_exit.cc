// SPDX-License-Identifier: Apache-2.0
//
// thread's status - exiting - handle table - section - address space - exit status - process
// signalled - thread signalled.
#include <algorithm>

#include <snapshot/executive/executive.h>
#include <snapshot/executive/ke/wait.h>
#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/ps/process_exit.h>
#include <snapshot/executive/ps/teb.h>

namespace doppel {
namespace {

/// Whatever crash port `thread` waits at forgets it.
void leave_crash_port(NtThread& thread) {
  if (thread.wait.kind != WaitKind::crash_port) return;
  CrashPort& port = static_cast<CrashPort&>(*thread.wait.object);
  std::erase_if(port.waiting, [&](const auto& entry) { return entry.thread.get() == &thread; });
  std::erase_if(port.queue,
                [&](const CrashMessage& message) { return message.thread == thread.id; });
}

void signal_exit(Process& process, NtStatus exit_status) {
  process.exit_status = exit_status;
  process.exit_time = process.executive.now();
  process.signalled = true;
  abandon_mutants(process.executive, process);
  wake_waiters(process.executive, process);
}

void run_down(Process& process, NtStatus exit_status) {
  process.exiting = true;
  process.handles.sweep();
  process.crash_port = {};
  process.section = {};
  process.space->clear();
  process.vm_deleted = true;
  signal_exit(process, exit_status);
}

}  // namespace

void end_thread(NtThread& dying, NtStatus exit_status) {
  if (dying.terminated()) return;
  const ObjectRef<NtThread> thread(&dying);
  const ObjectRef<Process> process = thread->process;
  Executive& executive = process->executive;
  thread->exit_status = exit_status;
  thread->exit_time = executive.now();
  if (thread->state == ThreadState::waiting) {
    leave_crash_port(*thread);
    abandon_wait(executive, *thread);
  }
  // Not yet signalled: for waits a thread is over only when its process is.
  thread->state = ThreadState::initialized;
  if (thread->teb != 0) free_teb(*process->space, thread->teb);
  std::erase(process->threads, thread);
  if (process->threads.empty()) run_down(*process, exit_status);
  thread->state = ThreadState::terminated;
  executive.stepper().forget(*thread);
  abandon_mutants(executive, *thread);
  wake_waiters(executive, *thread);
}

void end_process(Process& dying, NtStatus exit_status, NtThread* last) {
  const ObjectRef<Process> process(&dying);
  if (process->signalled) return;
  process->exiting = true;
  if (process->threads.empty()) {
    process->handles.sweep();
    process->crash_port = {};
    process->section = {};
    signal_exit(*process, exit_status);
    return;
  }
  const std::vector<ObjectRef<NtThread>> threads = process->threads;
  for (const ObjectRef<NtThread>& thread : threads) {
    if (thread.get() != last) end_thread(*thread, exit_status);
  }
  if (last != nullptr) end_thread(*last, exit_status);
}

}  // namespace doppel
