// SPDX-License-Identifier: Apache-2.0
//
// The rules of waiting, and the objects that know them.
#include <algorithm>

#include <snapshot/executive/io/file_object.h>
#include <snapshot/executive/ke/event.h>
#include <snapshot/executive/ke/wait.h>

namespace doppel {
namespace {

/// Over a copy, for a woken thread leaves the list.
template <typename Function>
void for_each_waiter(Executive& executive, Function function) {
  const std::vector<ObjectRef<NtThread>> waiters = executive.stepper().waiters();
  for (const ObjectRef<NtThread>& thread : waiters) {
    if (thread->state == ThreadState::waiting) function(*thread);
  }
}

/// The earliest end of a wait.
void update_timer(Stepper& stepper) {
  stepper.next_timer.reset();
  for (const ObjectRef<NtThread>& thread : stepper.waiters()) {
    const std::optional<std::uint64_t>& deadline = thread->wait.deadline;
    if (deadline && (!stepper.next_timer || *deadline < *stepper.next_timer))
      stepper.next_timer = deadline;
  }
}

}  // namespace

Mutant::Mutant(Executive& owner_executive)
    : Object(ObjectType::mutant, owner_executive.counters()), executive(owner_executive) {
  executive.mutants.push_back(this);
}

Mutant::~Mutant() {
  std::erase(executive.mutants, this);
}

std::optional<NtStatus> try_wait(Object& object, const Object& waiter) {
  switch (object.type()) {
    case ObjectType::process:
      if (static_cast<Process&>(object).signalled) return status::success;
      return std::nullopt;
    case ObjectType::thread:
      if (static_cast<NtThread&>(object).terminated()) return status::success;
      return std::nullopt;
    case ObjectType::event: {
      Event& event = static_cast<Event&>(object);
      if (!event.signalled) return std::nullopt;
      if (event.synchronization) event.signalled = false;
      return status::success;
    }
    case ObjectType::mutant: {
      Mutant& mutant = static_cast<Mutant&>(object);
      if (mutant.owner != nullptr && mutant.owner != &waiter) return std::nullopt;
      const bool abandoned = mutant.abandoned;
      mutant.owner = &waiter;
      mutant.abandoned = false;
      ++mutant.recursion;
      return abandoned ? status::abandoned_wait_0 : status::success;
    }
    default:
      return std::nullopt;
  }
}

void begin_wait(Executive& executive, NtThread& thread, ThreadWait wait) {
  thread.wait = std::move(wait);
  thread.state = ThreadState::waiting;
  executive.stepper().waiters().push_back(ObjectRef<NtThread>(&thread));
  update_timer(executive.stepper());
}

void abandon_wait(Executive& executive, NtThread& thread) {
  thread.wait = {};
  std::erase(executive.stepper().waiters(), ObjectRef<NtThread>(&thread));
  update_timer(executive.stepper());
}

void end_wait(Executive& executive, NtThread& thread, NtStatus result) {
  thread.context.registers.general[kRax] = result.value;
  thread.state = ThreadState::ready;
  executive.stepper().mix(thread.id);
  executive.stepper().mix(result.value);
  abandon_wait(executive, thread);
}

void wake_waiters(Executive& executive, Object& object) {
  for_each_waiter(executive, [&](NtThread& thread) {
    if (thread.wait.kind != WaitKind::object || thread.wait.object.get() != &object) return;
    if (const std::optional<NtStatus> result = try_wait(object, thread))
      end_wait(executive, thread, *result);
  });
}

void wake_lockers(Executive& executive, const FileNode& node) {
  for_each_waiter(executive, [&](NtThread& thread) {
    if (thread.wait.kind != WaitKind::file_lock) return;
    FileObject& file = static_cast<FileObject&>(*thread.wait.object);
    if (file.node.get() != &node) return;
    if (file.cleaned) {
      end_wait(executive, thread, status::range_not_locked);
    } else if (grant_lock(file.node->locks, thread.wait.lock, executive.counters()).succeeded()) {
      end_wait(executive, thread, status::success);
    }
  });
}

void fire_timers(Executive& executive) {
  for_each_waiter(executive, [&](NtThread& thread) {
    if (!thread.wait.deadline || *thread.wait.deadline > executive.now()) return;
    const bool delay = thread.wait.kind == WaitKind::delay;
    end_wait(executive, thread, delay ? status::success : status::timeout);
  });
}

void abandon_mutants(Executive& executive, const Object& owner) {
  const std::vector<Mutant*> all = executive.mutants;
  for (Mutant* mutant : all) {
    if (mutant->owner != &owner) continue;
    mutant->owner = nullptr;
    mutant->recursion = 0;
    mutant->abandoned = true;
    wake_waiters(executive, *mutant);
  }
}

std::optional<std::uint64_t> deadline_of(const Executive& executive,
                                         std::optional<std::int64_t> timeout) {
  if (!timeout) return std::nullopt;
  if (*timeout > 0) return static_cast<std::uint64_t>(*timeout);
  return executive.now() - static_cast<std::uint64_t>(*timeout);
}

}  // namespace doppel
