// SPDX-License-Identifier: Apache-2.0
//
// The process that the programs of this folder measure: a heap, threads that sleep, one that spins
// and watches the clock, one that writes. It also makes a bare fork() of itself on command, so that
// a capture can be compared with a fork of the very same process. It must not know doppel.
#ifndef DOPPEL_TESTS_BENCH_BENCH_TARGET_H_
#define DOPPEL_TESTS_BENCH_BENCH_TARGET_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace doppel::bench {

struct TargetOptions {
  std::size_t heap = 0;     ///< bytes, each page written
  bool huge_pages = false;  ///< MADV_HUGEPAGE; else MADV_NOHUGEPAGE
  bool mix = false;         ///< contents as of a server's heap; else one word a page
  unsigned sleepers = 0;    ///< threads, by turns in futex, epoll_wait, nanosleep, poll and read
  bool probe = true;        ///< the spinning thread, on the first processor that we may use
  bool writer = false;      ///< the writing thread; it waits for write_at()
  std::size_t reserve = 0;  ///< bytes of address space without memory behind them
  std::size_t islands = 0;  ///< pages written in it, far from each other
};

class BenchTarget {
 public:
  static constexpr std::uint64_t kFullSpeed = ~std::uint64_t{0};

  /// Returns when it stands as described. Ends the program when it cannot be made.
  explicit BenchTarget(const TargetOptions& options);
  BenchTarget(const BenchTarget&) = delete;
  BenchTarget& operator=(const BenchTarget&) = delete;
  ~BenchTarget();

  pid_t pid() const { return pid_; }

  /// Milliseconds from before to after a fork() in the target. Its child is gone on return.
  double fork_once() const;

  /// The longest time, in ms, between two looks of the spinning thread at the clock.
  void reset_gap() const;
  double longest_gap() const;

  /// Random pages of the heap written per second from now on; 0: none.
  void write_at(std::uint64_t pages_per_second) const;
  /// Pages written so far.
  std::uint64_t writes() const;

  /// Both sides see it.
  struct Board {
    std::atomic<std::uint64_t> longest_gap_ns;
    std::atomic<std::uint32_t> reset;
    std::atomic<std::uint64_t> rate;
    std::atomic<std::uint64_t> writes;
  };

 private:
  pid_t pid_ = -1;
  int commands_ = -1;
  int answers_ = -1;
  Board* board_ = nullptr;
};

}  // namespace doppel::bench

#endif  // DOPPEL_TESTS_BENCH_BENCH_TARGET_H_
