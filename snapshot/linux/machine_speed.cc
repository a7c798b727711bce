// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <optional>

#include <snapshot/linux/machine_speed.h>

namespace doppel {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPages = 4096;
constexpr int kRounds = 5;
// What is read before each fork, so that the kernel's records of the area are not in the nearer
// caches: in a target of gigabytes they are not either.
constexpr std::size_t kEvicted = 8 << 20;
constexpr std::size_t kCacheLine = 64;
// Nanoseconds for each page, of the machine that StopCosts was measured on: 36 to 58 in every
// process and state of the machine that was tried (without eviction 18 to 60), where targets of
// gigabytes took 36 to 70. Only the ratio of two machines is used.
constexpr double kReference = 50;

/// The time of one fork that copies everything; the child ends at once.
std::optional<nanoseconds> time_fork(Sys& sys) {
  const auto begin = Clock::now();
  const long child = sys.invoke(SYS_clone, 0, 0, 0, 0, 0);
  if (child == 0) {
    ::syscall(SYS_exit_group, 0);
    __builtin_unreachable();
  }
  const auto taken = Clock::now() - begin;
  if (child < 0) return std::nullopt;
  // Failing to collect it would leave a zombie: tried again for as long as there is a child.
  for (int tries = 0; tries < 8; ++tries) {
    siginfo_t info;
    const long waited = sys.waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | __WALL);
    if (waited == 0 || waited == -ECHILD) break;
  }
  return std::chrono::duration_cast<nanoseconds>(taken);
}

}  // namespace

double measure_slowness(Sys& sys) {
  constexpr std::size_t kSize = kPages * kPage;
  const long at =
      sys.invoke(SYS_mmap, 0, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at < 0 && at > -4096) return 1;
  const auto advise = [&](long advice) {
    return sys.invoke(SYS_madvise, at, static_cast<long>(kSize), advice) == 0;
  };
  auto* memory = reinterpret_cast<volatile unsigned char*>(at);
  // A kernel without huge pages refuses this and has small ones anyway.
  (void)advise(MADV_NOHUGEPAGE);
  for (std::size_t i = 0; i < kPages; ++i) memory[i * kPage] = 1;

  const auto evict = [&] {
    unsigned sum = 0;
    for (std::size_t i = 0; i < kEvicted; i += kCacheLine) sum += memory[i];
    return sum;
  };
  nanoseconds with = nanoseconds::max(), without = nanoseconds::max();
  bool good = true;
  for (int round = 0; good && round < kRounds; ++round) {
    good = advise(MADV_DOFORK);
    (void)evict();
    const auto full = good ? time_fork(sys) : std::nullopt;
    good = full && advise(MADV_DONTFORK);
    (void)evict();
    const auto bare = good ? time_fork(sys) : std::nullopt;
    good = bare.has_value();
    if (!good) break;
    with = std::min(with, *full);
    without = std::min(without, *bare);
  }
  sys.invoke(SYS_munmap, at, static_cast<long>(kSize));
  if (!good || with <= without) return 1;
  const double each = static_cast<double>((with - without).count()) / kPages;
  return std::clamp(each / kReference, 0.25, 4.0);
}

}  // namespace doppel
