// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sched.h>

#include <array>
#include <string>
#include <string_view>

#include <snapshot/linux/proc_parser.h>
#include <snapshot/linux/sleep_clock.h>
#include <snapshot/linux/stop.h>

namespace doppel {
namespace {

constexpr std::size_t kSchedText = 8192;

std::optional<ProcSched> read_sched(const TargetProcess& target, pid_t tid) {
  std::array<char, kSchedText> buffer;
  const std::string name = "task/" + std::to_string(tid) + "/sched";
  Result<std::span<char>> text = target.read_into(name.c_str(), buffer);
  if (!text) return std::nullopt;
  Result<ProcSched> sched = parse_sched(std::string_view(text->data(), text->size()));
  if (!sched) return std::nullopt;
  return *sched;
}

}  // namespace

std::optional<std::int64_t> SleepClock::offset_of(int processor) {
  if (const auto known = offsets_.find(processor); known != offsets_.end()) return known->second;
  std::optional<std::int64_t> offset;
  cpu_set_t before;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(processor, &one);
  if (sched_getaffinity(0, sizeof before, &before) == 0 &&
      sys_.sched_setaffinity(0, sizeof one, &one) >= 0) {
    // Yielding brings our own exec_start up to date. It is read as of then, so the offset is never
    // too small, the sleep never too long, and no call ends early.
    (void)sys_.sched_yield();
    std::array<char, kSchedText> buffer;
    const UniqueFd file(
        static_cast<int>(sys_.openat(AT_FDCWD, "/proc/thread-self/sched", O_RDONLY)));
    if (file) {
      const long size = sys_.read(file.get(), buffer.data(), buffer.size());
      const std::uint64_t now = monotonic_ns();
      if (size > 0) {
        Result<ProcSched> own =
            parse_sched(std::string_view(buffer.data(), static_cast<std::size_t>(size)));
        if (own) offset = static_cast<std::int64_t>(now - own->exec_start_ns);
      }
    }
    (void)sys_.sched_setaffinity(0, sizeof before, &before);
  }
  offsets_.emplace(processor, offset);
  return offset;
}

std::optional<Sleep> SleepClock::sleep_of(const TargetProcess& target, pid_t tid, int processor) {
  const std::optional<std::int64_t> offset = offset_of(processor);
  if (!offset) return std::nullopt;
  const std::optional<ProcSched> sched = read_sched(target, tid);
  if (!sched) return std::nullopt;
  return Sleep{sched->exec_start_ns + static_cast<std::uint64_t>(*offset),
               sched->voluntary_switches};
}

std::uint64_t SleepClock::slept_ms(const TargetProcess& target, pid_t tid, const Sleep& sleep) {
  const std::optional<ProcSched> sched = read_sched(target, tid);
  const std::uint64_t now = monotonic_ns();
  // Woken once, by us, and stopped: one voluntary switch more. Any other number: a sleep of its own
  // in between.
  if (!sched || sched->voluntary_switches != sleep.switches + 1 || now < sleep.since_ns) return 0;
  return (now - sleep.since_ns) / 1'000'000;
}

}  // namespace doppel
