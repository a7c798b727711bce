// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <string>

#include <snapshot/linux/burial_timer.h>
#include <snapshot/linux/freeze.h>
#include <snapshot/linux/proc_parser.h>

namespace doppel {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
/// One look at a thread that does not stop, until the next.
constexpr std::uint64_t kSlice = 5 * kMillisecond;
/// How long a thread in uninterruptible sleep is waited for: that can last for ever.
constexpr std::uint64_t kSleeperPatience = 50 * kMillisecond;
/// One that waits in vfork for its child to execute: usually well under a millisecond more.
constexpr std::uint64_t kVforkPatience = 2 * kMillisecond;
/// How long one that could run is waited for: it traps as soon as a loaded machine gives it a
/// processor.
constexpr std::uint64_t kRunnerPatience = 2000 * kMillisecond;
/// A program that starts threads faster than they are stopped is given up on.
constexpr int kMostPasses = 1000;

/// Reads the thread's stat into the record; false when the thread is gone.
bool read_stat(const TargetProcess& target, pid_t tid, ThreadRecord& record) {
  const std::string name = "task/" + std::to_string(tid) + "/stat";
  Result<std::span<char>> text =
      target.read_into(name.c_str(), std::span<char>(record.stat, sizeof record.stat - 1));
  if (!text || text->empty()) return false;
  record.stat[text->size()] = '\0';
  record.state = state_in_stat(record.stat);
  return true;
}

/// True for a thread on its way out: it cannot be attached to, and runs no code of the program any
/// more.
bool is_dying(const ThreadRecord& record) {
  if (record.state == 'Z' || record.state == 'X') return true;
  Result<ProcStat> stat = parse_stat(record.stat);
  return stat && (stat->flags & kTaskExiting) != 0;
}

}  // namespace

Result<Freeze> Freeze::attach(Sys& sys, const TargetProcess& target, const CaptureArena& arena,
                              const TraceSettings& settings) {
  Freeze freeze(sys, target, arena, settings);
  DOPPEL_TRY(freeze.attach_new(false));
  if (freeze.threads_.empty())
    return fail(Errc::gone, "attach to process", std::to_string(target.pid()));
  SleepClock clock(sys);
  for (const auto& thread : freeze.threads_) {
    if (!thread->was_running()) thread->note_sleep(clock);
  }
  return freeze;
}

Freeze::~Freeze() {
  for (auto* list : {&threads_, &laggards_}) {
    for (const auto& thread : *list) {
      if (thread->tid() == 0) continue;
      if (thread->ordered() && !thread->tracee().stopped()) (void)collect(*thread);
      if (thread->tracee().stopped()) {
        (void)thread->release();
      } else if (thread->tracee().dead()) {
        thread->tracee().reap();
      } else {
        // Not stopped: the kernel lets it go without disturbing it when this process ends.
        thread->tracee().abandon();
      }
    }
  }
}

/// Attaches to every thread not yet known; true when there was one.
Result<bool> Freeze::attach_new(bool order_at_once) {
  const std::vector<pid_t> now = DOPPEL_TRY(target_->threads());
  std::vector<pid_t> known;
  known.reserve(threads_.size() + laggards_.size());
  for (const auto& thread : threads_) known.push_back(thread->tid());
  for (const auto& thread : laggards_) known.push_back(thread->tid());
  std::sort(known.begin(), known.end());

  std::vector<std::uint32_t> found;  // records
  zombies_ = 0;
  std::uint32_t& used = arena_->header().thread_count;
  for (const pid_t tid : now) {
    if (std::binary_search(known.begin(), known.end(), tid)) continue;
    if (used == arena_->records().size()) {
      return fail(Errc::limit, "keep up with new threads", std::to_string(target_->pid()), EAGAIN);
    }
    ThreadRecord& record = arena_->records()[used];
    record = ThreadRecord{};
    if (!read_stat(*target_, tid, record)) continue;
    if (record.state == 'Z' || record.state == 'X') {
      ++zombies_;
      continue;
    }
    record.tid = tid;
    record.was_running = record.state == 'R';
    found.push_back(used++);
  }
  // Stable: within each kind the kernel's order, so that the leader stays first.
  std::stable_partition(found.begin(), found.end(),
                        [&](std::uint32_t index) { return !arena_->records()[index].was_running; });

  if (found.empty()) return false;
  bool any = false;
  threads_.reserve(threads_.size() + found.size());
  const BurialTimer burials = DOPPEL_TRY(BurialTimer::start(*sys_, *arena_));
  for (const std::uint32_t index : found) {
    ThreadRecord& record = arena_->records()[index];
    const pid_t tid = record.tid;
    Result<FrozenThread> thread = FrozenThread::attach(
        *sys_, *target_, tid, *settings_, record, arena_->xsave(index), arena_->io_bitmap(index));
    if (!thread) {
      // A thread that is exiting refuses with EPERM, one that is gone with ESRCH; neither comes
      // back. What stands in the way of any other concerns the whole process.
      record.tid = 0;
      if (thread.error().code == Errc::gone) continue;
      ThreadRecord again;
      if (!read_stat(*target_, tid, again)) continue;
      if (is_dying(again)) {
        ++zombies_;
        continue;
      }
      return fail(std::move(thread.error()));
    }
    any = true;
    threads_.push_back(std::make_unique<FrozenThread>(std::move(*thread)));
    if (order_at_once) DOPPEL_TRY(threads_.back()->order());
  }
  return any;
}

/// Consumes the death of threads that died meanwhile. An exec in one thread waits for the others to
/// be gone, and they are not while their tracer leaves them unreaped. One by one: a wait for any
/// would consume stops too, and with them signals.
void Freeze::reap_dead(const FrozenThread& waited_for) {
  for (const auto& thread : threads_) {
    if (thread.get() == &waited_for || thread->tid() == 0) continue;
    Result<Stop> stop = peek_stop(*sys_, thread->tid());
    if (stop && stop->kind == StopKind::exited) {
      thread->record().tid = 0;
      thread->tracee().reap();
    }
  }
}

/// Waits for the stop that was ordered and reads the registers.
Result<> Freeze::collect(FrozenThread& thread) {
  const std::uint64_t start = monotonic_ns();
  const std::uint64_t slice = thread.in_vfork() ? kVforkPatience : kSlice;
  while (true) {
    DOPPEL_TRY(thread.collect(monotonic_ns() + slice));
    if (thread.tracee().stopped() || thread.tracee().dead()) return {};
    reap_dead(thread);
    ThreadRecord now;
    if (!read_stat(*target_, thread.tid(), now)) continue;  // gone: the next look says so
    const std::uint64_t patience = now.state != 'D'    ? kRunnerPatience
                                   : thread.in_vfork() ? kVforkPatience
                                                       : kSleeperPatience;
    if (monotonic_ns() - start >= patience) return {};
  }
}

/// All are ordered to stop before the first is waited for: on a busy machine each waits for a
/// processor, and so they wait together.
Result<> Freeze::stop_range(std::size_t first, std::size_t last) {
  for (std::size_t i = first; i < last; ++i) {
    if (threads_[i]->tid() != 0 && !threads_[i]->ordered()) DOPPEL_TRY(threads_[i]->order());
  }
  for (std::size_t i = first; i < last; ++i) {
    if (threads_[i]->tid() != 0) DOPPEL_TRY(collect(*threads_[i]));
  }
  return {};
}

/// Forgets threads that died and sets aside those that were ordered to stop and did not. Keeps the
/// order.
void Freeze::set_aside() {
  const auto fine = [](const std::unique_ptr<FrozenThread>& thread) {
    if (thread->tid() == 0) return false;
    return thread->tracee().stopped() || (!thread->ordered() && !thread->tracee().dead());
  };
  if (std::all_of(threads_.begin(), threads_.end(), fine)) return;
  for (auto& thread : threads_) {
    if (fine(thread)) continue;
    if (thread->tid() == 0) {
      gone_.push_back(std::move(thread));
    } else if (thread->tracee().dead()) {
      thread->record().tid = 0;
      thread->tracee().reap();
      gone_.push_back(std::move(thread));
    } else {
      laggards_.push_back(std::move(thread));
    }
  }
  std::erase(threads_, nullptr);
}

Result<> Freeze::stop_sleeping() {
  const auto first_running = std::find_if(threads_.begin(), threads_.end(),
                                          [](const auto& thread) { return thread->was_running(); });
  DOPPEL_TRY(stop_range(0, static_cast<std::size_t>(first_running - threads_.begin())));
  set_aside();
  return {};
}

Result<> Freeze::stop_running() {
  auto first = static_cast<std::size_t>(
      std::find_if(threads_.begin(), threads_.end(),
                   [](const auto& thread) { return !thread->tracee().stopped(); }) -
      threads_.begin());
  for (int pass = 0; pass < kMostPasses; ++pass) {
    DOPPEL_TRY(stop_range(first, threads_.size()));
    set_aside();
    if (threads_.empty() && laggards_.empty()) {
      return fail(Errc::gone, "stop threads", std::to_string(target_->pid()));
    }
    // All that we know stands still, so none of them can start or end a thread: equal counts mean
    // the same threads. Only a difference is worth the list.
    const std::size_t count = DOPPEL_TRY(target_->thread_count());
    if (count == threads_.size() + laggards_.size() + zombies_) return {};
    first = threads_.size();
    const bool any = DOPPEL_TRY(attach_new(true));
    if (!any && pass > 0) return {};  // what differs is on its way out
  }
  return fail(Errc::timeout, "stop threads: new ones without end", std::to_string(target_->pid()));
}

Result<> Freeze::thaw(FrozenThread& thread) {
  const bool running = thread.was_running();
  const std::uint64_t hold = DOPPEL_TRY(thread.release());
  ArenaHeader& header = arena_->header();
  header.pause_ns = std::max(header.pause_ns, hold);
  if (running) header.running_pause_ns = std::max(header.running_pause_ns, hold);
  return {};
}

Result<> Freeze::thaw_all_but(const FrozenThread* host) {
  Result<> result;
  for (const bool running : {true, false}) {
    for (const auto& thread : threads_) {
      if (thread.get() == host || thread->was_running() != running || thread->tid() == 0) continue;
      Result<> thawed = thaw(*thread);
      // One that cannot be released must not keep the others.
      if (!thawed && result) result = std::move(thawed);
    }
  }
  return result;
}

}  // namespace doppel
