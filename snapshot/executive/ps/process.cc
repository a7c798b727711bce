// SPDX-License-Identifier: Apache-2.0
//
// Birth and end of process and thread objects: the executive lists them while anybody refers to
// them.
#include <snapshot/executive/executive.h>
#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/ps/process.h>

namespace doppel {

Process::Process(Executive& owner, std::uint32_t process_id)
    : Object(ObjectType::process, owner.counters()),
      executive(owner),
      id(process_id),
      handles(process_id, owner.options().max_handles, owner.faults(), owner.counters()),
      create_time(owner.now()) {
  executive.processes_.emplace(id, this);
}

Process::~Process() {
  assert(threads.empty());
  executive.processes_.erase(id);
}

NtThread::NtThread(std::uint32_t thread_id, ObjectRef<Process> owner, Counters& counters)
    : Object(ObjectType::thread, counters),
      id(thread_id),
      process(std::move(owner)),
      create_time(process->executive.now()) {
  process->executive.threads_.emplace(id, this);
}

NtThread::~NtThread() {
  process->executive.threads_.erase(id);
}

}  // namespace doppel
