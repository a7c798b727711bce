// SPDX-License-Identifier: Apache-2.0
#include <elf.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <snapshot/linux/clone_removal.h>
#include <snapshot/linux/proc_directory.h>
#include <snapshot/linux/proc_parser.h>

namespace doppel {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

Address read_vdso_address(const TargetProcess& target) {
  std::array<char, 4096> buffer;
  Result<std::span<char>> text = target.read_into("auxv", buffer);
  if (!text) return {};
  return {find_aux(parse_auxv(std::as_bytes(*text)), AT_SYSINFO_EHDR).value_or(0)};
}

}  // namespace

pid_t child_number(Sys& sys, const TargetProcess& target, pid_t task) {
  std::array<char, 8192> buffer;
  const std::string name = "/proc/" + std::to_string(task) + "/status";
  long size = 0;
  // A passing error must not make us believe that there is nothing to collect.
  for (int attempt = 0; attempt < 3 && size <= 0; ++attempt) {
    const long fd = sys.openat(AT_FDCWD, name.c_str(), O_RDONLY);
    if (fd == -ENOENT) return 0;
    if (fd < 0) continue;
    const UniqueFd file(static_cast<int>(fd));
    size = sys.read(file.get(), buffer.data(), buffer.size());
    if (size == -ESRCH) return 0;
  }
  if (size <= 0) return 0;
  Result<ProcStatus> status =
      parse_status(std::string_view(buffer.data(), static_cast<std::size_t>(size)));
  if (!status || status->parent != target.pid()) return 0;
  return status->namespace_ids.empty() ? task : status->namespace_ids.back();
}

Result<> collect_children(const InjectionScene& scene, FrozenThread& host, Address gadget,
                          std::span<const pid_t> numbers) {
  RemoteCalls calls(host.tracee(), host.record().registers, gadget, RemoteCalls::Of::target);
  Result<> result;
  for (const pid_t number : numbers) {
    if (number == 0) continue;
    const Result<long> value = calls.call({.number = SYS_wait4,
                                           .a = static_cast<std::uint64_t>(number),
                                           .c = static_cast<std::uint64_t>(__WALL | WNOHANG)});
    if (!value) {
      result = fail(value.error());
      break;
    }
    if (*value == 0) {
      result = fail(Errc::timeout, "collect the clone");
      break;
    }
  }
  Result<> finished = calls.finish();
  scene.note_injection(calls);
  if (result) result = std::move(finished);
  return result;
}

namespace {

/// Kills a task of ours and, should we be its tracer, consumes its death as such: then it is its
/// parent's.
void end_task(Sys& sys, const TargetProcess& target, pid_t task) {
  if (task == 0 || child_number(sys, target, task) == 0) return;  // not (any more) a child
  Tracee ours = Tracee::adopt(sys, task);
  ours.kill();
  ours.abandon();
  const std::uint64_t deadline = monotonic_ns() + 30 * kSecond;
  while (monotonic_ns() < deadline) {
    Result<Stop> stop = wait_stop(sys, task, monotonic_ns() + kSecond / 100);
    if (!stop) return;  // not ours to wait for
    if (stop->kind != StopKind::exited) continue;
    siginfo_t info{};
    (void)sys.waitid(P_PID, task, &info, WEXITED | WNOHANG | __WALL);
    return;
  }
}

std::optional<ProcStat> read_stat(Sys& sys, pid_t task) {
  std::array<char, 1024> buffer;
  const std::string name = "/proc/" + std::to_string(task) + "/stat";
  const UniqueFd file(static_cast<int>(sys.openat(AT_FDCWD, name.c_str(), O_RDONLY)));
  if (!file) return std::nullopt;
  const long size = sys.read(file.get(), buffer.data(), buffer.size());
  if (size <= 0) return std::nullopt;
  Result<ProcStat> stat =
      parse_stat(std::string_view(buffer.data(), static_cast<std::size_t>(size)));
  if (!stat) return std::nullopt;
  return std::move(*stat);
}

/// The clone that `helper` was just making when its tracer was killed: the one child of the target
/// in the session that the helper began. 0: it made none. Only when the helper is dead is that the
/// last word.
Result<pid_t> find_clone(Sys& sys, const TargetProcess& target, pid_t helper) {
  const long opened = sys.openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY);
  DOPPEL_TRY(check(opened, "look for the clone"));
  const UniqueFd directory(static_cast<int>(opened));
  const std::vector<pid_t> processes = DOPPEL_TRY(list_numbers(sys, directory.get()));
  for (const pid_t pid : processes) {
    const std::optional<ProcStat> stat = read_stat(sys, pid);
    if (stat && stat->parent == target.pid() && stat->session == helper && pid != helper) {
      return pid;
    }
  }
  return 0;
}

}  // namespace

Result<> remove_tasks(Sys& sys, const TargetProcess& target, const CaptureArena& arena,
                      const SnapshotOrders& orders) {
  ArenaHeader& header = arena.header();
  end_task(sys, target, header.clone);
  end_task(sys, target, header.helper);
  const bool look_for_clone = header.helper != 0 && header.clone == 0;
  constexpr int kMostAttempts = 200;
  Result<> result;
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    if (attempt > 0) (void)sys.sigtimedwait(1ull << (SIGCHLD - 1), 5'000'000);
    if (look_for_clone && header.clone == 0) {
      // Once the helper is dead, for then it makes none any more; and before it is collected, or
      // its number could be another's session.
      const std::optional<ProcStat> stat = read_stat(sys, header.helper);
      if (stat && stat->state != 'Z' && stat->state != 'X') {
        result = fail(Errc::timeout, "end the helper", std::to_string(header.helper));
        continue;
      }
      Result<pid_t> clone = find_clone(sys, target, header.helper);
      if (!clone) {
        result = fail(std::move(clone.error()));
        continue;
      }
      header.clone = *clone;
      end_task(sys, target, header.clone);
    }
    std::vector<pid_t> numbers;
    for (const pid_t task : {header.clone.load(), header.helper.load()}) {
      if (task == 0) continue;
      if (const pid_t number = child_number(sys, target, task); number != 0)
        numbers.push_back(number);
    }
    if (numbers.empty() || target.ended()) return {};
    // One thread is enough: a sleeping one, or on later attempts any.
    Result<std::vector<pid_t>> threads = target.threads();
    if (!threads) {
      if (threads.error().code == Errc::gone) return {};
      result = fail(std::move(threads.error()));
      continue;
    }
    // Looked at anew each time: it may run another program than the one that was cloned.
    Result<UniqueFd> memory = target.open_file("mem");
    SnapshotOrders now = orders;
    now.vdso = read_vdso_address(target);
    if (!memory) {
      result = fail(std::move(memory.error()));
      continue;
    }
    const InjectionScene scene{sys,   target, memory->get(),
                               arena, now,    find_vdso_gadget(sys, memory->get(), now.vdso)};
    for (std::size_t i = 0; i < threads->size(); ++i) {
      const pid_t tid = (*threads)[(i + static_cast<std::size_t>(attempt)) % threads->size()];
      ThreadRecord record;
      record.tid = tid;
      const std::string name = "task/" + std::to_string(tid) + "/stat";
      Result<std::span<char>> text =
          target.read_into(name.c_str(), std::span<char>(record.stat, sizeof record.stat - 1));
      if (!text) continue;
      record.state = state_in_stat(record.stat);
      const bool wanted =
          record.state == 'S' || (attempt > 0 && (record.state == 'R' || record.state == 'T'));
      if (!wanted) continue;
      std::array<std::byte, 64> no_room;
      Result<FrozenThread> thread =
          FrozenThread::attach(sys, target, tid, orders.settings, record, no_room, no_room);
      if (!thread) {
        result = fail(std::move(thread.error()));
        continue;
      }
      SleepClock clock(sys);
      thread->note_sleep(clock);
      result = thread->order();
      // A thread that could run stops as soon as it gets a processor, which a loaded machine may
      // not give it for long; letting go of it before would leave it interrupted.
      const std::uint64_t deadline = monotonic_ns() + 5 * kSecond;
      while (result && !thread->tracee().stopped() && !thread->tracee().dead() &&
             monotonic_ns() < deadline) {
        result = thread->collect(monotonic_ns() + kSecond / 20);
      }
      if (result && thread->tracee().stopped()) {
        const std::optional<Address> gadget =
            scene.still_the_same_program() ? scene.gadget_for(*thread) : std::nullopt;
        if (gadget) result = collect_children(scene, *thread, *gadget, numbers);
      }
      if (thread->tracee().stopped()) {
        Result<std::uint64_t> hold = thread->release();
        if (hold) arena.header().pause_ns = std::max(arena.header().pause_ns, *hold);
      }
      break;
    }
  }
  if (result) result = fail(Errc::timeout, "collect the clone", std::to_string(target.pid()));
  return result;
}

}  // namespace doppel
