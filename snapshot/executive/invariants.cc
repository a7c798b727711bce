// SPDX-License-Identifier: Apache-2.0
//
// The invariants I1 to I8, counted anew from the objects themselves. I7 (everything closed leaves
// the counts of boot) is the tests': only they know when all is closed.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <snapshot/executive/executive.h>
#include <snapshot/executive/mm/memory_check.h>

namespace doppel {
namespace {

/// Of an object that some handle leads to.
struct Counted {
  std::uint64_t handles = 0;
};

using Objects = std::map<const Object*, Counted>;

std::string check_handles(const Executive& executive, const Counters& counters, Objects& objects) {
  std::uint64_t entries = 0;
  for (const auto& [id, process] : executive.processes()) {
    std::uint64_t in_process = 0;
    for (const HandleEntry& entry : process->handles.entries()) {
      if (!entry.object) continue;
      ++objects[entry.object.get()].handles;
      ++in_process;
    }
    if (in_process != process->handles.count()) return "I3: count of a handle table";
    entries += in_process;
  }
  if (entries != counters.handles) return "I3: count of all handles";
  for (const auto& [object, counted] : objects) {
    if (object->handle_count() != counted.handles) return "I3: handle count of an object";
    if (object->pointer_count() < object->handle_count()) return "I3: pointer count of an object";
  }
  return {};
}

/// Share counters and locks of every file that a handle leads to.
std::string check_files(const Executive& executive, const Objects& objects) {
  std::map<const FileNode*, ShareAccess> shares;
  std::map<const FileNode*, std::uint32_t> opens;
  std::map<const FileObject*, std::set<std::uint32_t>> owners;
  for (const auto& [id, process] : executive.processes()) {
    for (const HandleEntry& entry : process->handles.entries()) {
      if (entry.object && entry.object->type() == ObjectType::file)
        owners[static_cast<const FileObject*>(entry.object.get())].insert(id);
    }
  }
  for (const auto& [object, counted] : objects) {
    if (object->type() != ObjectType::file) continue;
    const FileObject& file = static_cast<const FileObject&>(*object);
    if (file.cleaned) return "I4: a file object with handles is cleaned up";
    shares[file.node.get()].add(file.mode);
    ++opens[file.node.get()];
  }
  for (const auto& [node, share] : shares) {
    if (!(share == node->share)) return "I4: share counters of " + node->name;
    if (opens[node] != node->opens) return "I4: opens of " + node->name;
    for (const FileLock& lock : node->locks) {
      const auto owner = owners.find(lock.file);
      if (owner == owners.end() || !owner->second.contains(lock.process))
        return "I8: a lock on " + node->name + " without its owner";
    }
  }
  for (const auto& [name, node] : executive.files().nodes()) {
    const bool open = shares.contains(node.get());
    if (!open && (node->opens != 0 || !(node->share == ShareAccess())))
      return "I4: share counters of closed " + name;
    if (!open && !node->locks.empty()) return "I8: a lock on closed " + name;
  }
  return {};
}

std::string check_threads(const Executive& executive,
                          const std::vector<ObjectRef<NtThread>>& waiters) {
  for (const auto& [id, thread] : executive.threads()) {
    const bool listed = std::ranges::any_of(
        waiters, [&](const ObjectRef<NtThread>& waiter) { return waiter.get() == thread; });
    if (listed != (thread->state == ThreadState::waiting)) return "I6: list of waiting threads";
    if (thread->state == ThreadState::waiting && thread->runnable())
      return "I6: a waiting thread may run";
    if (thread->suspend_count > kMaximumSuspendCount) return "I6: suspend count";
    if (thread->runnable() && thread->process->vm_deleted) return "I6: a thread without memory runs";
  }
  return {};
}

}  // namespace

std::string Executive::broken_invariant() const {
  std::vector<const AddressSpace*> spaces;
  for (const auto& [id, process] : processes_) {
    spaces.push_back(process->space.get());
  }
  Objects objects;
  std::string broken = check_handles(*this, counters_, objects);
  if (broken.empty()) broken = check_files(*this, objects);
  if (broken.empty()) broken = check_threads(*this, stepper_->waiters());
  if (broken.empty()) broken = check_memory(memory_, sections_, spaces);
  return broken;
}

}  // namespace doppel
