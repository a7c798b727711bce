// SPDX-License-Identifier: Apache-2.0
#include <elf.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <string>
#include <string_view>
#include <vector>

#include <snapshot/linux/clone_removal.h>
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
  const UniqueFd file(static_cast<int>(sys.openat(AT_FDCWD, name.c_str(), O_RDONLY)));
  if (!file) return 0;
  const long size = sys.read(file.get(), buffer.data(), buffer.size());
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

Result<> remove_tasks(Sys& sys, const TargetProcess& target, const CaptureArena& arena,
                      const SnapshotOrders& orders, std::span<const pid_t> tasks) {
  for (const pid_t task : tasks) {
    if (task == 0) continue;
    if (child_number(sys, target, task) == 0) continue;  // not (any more) a child of the target
    (void)sys.kill(task, SIGKILL);
    // As its tracer, if we are, we see it die first; then it is its parent's.
    const std::uint64_t deadline = monotonic_ns() + 30 * kSecond;
    while (monotonic_ns() < deadline) {
      Result<Stop> stop = wait_stop(sys, task, monotonic_ns() + kSecond / 100);
      if (!stop) break;  // not ours to wait for
      if (stop->kind != StopKind::exited) continue;
      siginfo_t info{};
      (void)sys.waitid(P_PID, task, &info, WEXITED | WNOHANG | __WALL);
      break;
    }
  }
  constexpr int kMostAttempts = 200;
  Result<> result;
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    std::vector<pid_t> numbers;
    for (const pid_t task : tasks) {
      if (task == 0) continue;
      if (const pid_t number = child_number(sys, target, task); number != 0)
        numbers.push_back(number);
    }
    if (numbers.empty() || target.ended()) return {};
    if (attempt > 0) (void)sys.sigtimedwait(1ull << (SIGCHLD - 1), 5'000'000);
    // One thread is enough: a sleeping one, or on later attempts any.
    Result<std::vector<pid_t>> threads = target.threads();
    if (!threads) return {};
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
