// SPDX-License-Identifier: Apache-2.0
//
// Memory that the capturing process and its tracer share. What the tracer finds in the stop goes
// straight into it, so nothing is copied or sent inside the stop; and when the tracer is killed,
// the capturing process still sees which tasks it had made, and can remove them.
#ifndef DOPPEL_SNAPSHOT_LINUX_CAPTURE_ARENA_H_
#define DOPPEL_SNAPSHOT_LINUX_CAPTURE_ARENA_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include <snapshot/model/address.h>
#include <snapshot/model/cpu_context.h>
#include <snapshot/support/result.h>

namespace doppel {

/// One thread as it was found in the stop. Plain data: it crosses a process border.
struct ThreadRecord {
  pid_t tid = 0;
  char state = '?';  ///< before the stop
  bool was_running = false;
  bool stopped = false;  ///< false: it did not stop in time
  bool has_registers = false;
  bool has_siginfo = false;  ///< a signal was on its way to it
  bool has_shadow_stack = false;
  std::uint32_t xsave_size = 0;
  std::uint32_t io_bitmap_size = 0;
  std::uint64_t shadow_stack_pointer = 0;
  std::uint64_t hold_ns = 0;  ///< from its own stop (or earlier: the order to stop) to its release
  X86_64Registers registers;
  std::byte siginfo[128] = {};
  char stat[512] = {};  ///< /proc/PID/task/TID/stat before the stop, cut
};

/// Memory read in the stop. Which ranges is ordered before; what came of it stands in `copied`.
struct CopyRecord {
  AddressRange range;
  std::uint64_t offset = 0;  ///< in CaptureArena::copies()
  std::uint64_t copied = 0;  ///< bytes read without a gap from the start of the range
};

struct ArenaHeader {
  std::atomic<pid_t> helper{0};  ///< the task that shares the target's memory, while there is one
  std::atomic<pid_t> clone{0};   ///< the copy
  std::uint32_t thread_count = 0;
  std::int64_t captured_at_ns = 0;  ///< realtime
  std::uint64_t clone_ns = 0;
  std::uint64_t injection_ns =
      0;  ///< longest time that a thread of the target held foreign registers
  std::uint64_t pause_ns = 0;
  std::uint64_t running_pause_ns = 0;
  std::uint32_t copy_count = 0;
  std::uint32_t laggard_count = 0;  ///< threads that did not stop in time
  std::uint32_t settle_missed = 0;  ///< Settled::Step bits
  std::uint64_t own_page = 0;       ///< a page of the clone that is not the target's; 0: none
  std::uint64_t maps_size = 0;      ///< bytes of the maps text read in the stop; 0: not read
};

class CaptureArena {
 public:
  struct Room {
    std::size_t threads = 0;
    std::size_t maps_bytes = 0;  ///< for the text of /proc/PID/maps
    std::size_t copies = 0;      ///< ranges
    std::size_t copy_bytes = 0;
  };

  /// Shared with children; touched only as far as it is used.
  static Result<CaptureArena> create(const Room& room);

  CaptureArena(CaptureArena&& other) noexcept;
  CaptureArena& operator=(CaptureArena&&) = delete;
  ~CaptureArena();

  ArenaHeader& header() const { return *header_; }

  std::span<ThreadRecord> records() const { return {records_, capacity_}; }

  /// The room for the vector registers of record `index`.
  std::span<std::byte> xsave(std::size_t index) const {
    return {xsave_ + index * xsave_stride_, xsave_stride_ - kIoBitmapSize};
  }

  /// The room for its I/O permission bitmap.
  std::span<std::byte> io_bitmap(std::size_t index) const {
    return {xsave_ + (index + 1) * xsave_stride_ - kIoBitmapSize, kIoBitmapSize};
  }

  std::span<CopyRecord> copy_records() const { return {copy_records_, copy_capacity_}; }

  std::span<std::byte> maps() const { return {maps_, maps_capacity_}; }

  std::span<std::byte> copies() const { return {copies_, copies_size_}; }

  /// Gives the room of record `index` back: its vector registers and bitmap were copied out.
  void discard(std::size_t index) const;

  /// Faults the room for `threads` threads in, so that the stop need not.
  void populate(std::size_t threads) const;

  static constexpr std::size_t kIoBitmapSize = 8192;  ///< IO_BITMAP_BYTES

 private:
  CaptureArena() = default;
  std::byte* base_ = nullptr;
  std::size_t size_ = 0;
  ArenaHeader* header_ = nullptr;
  ThreadRecord* records_ = nullptr;
  std::size_t capacity_ = 0;
  CopyRecord* copy_records_ = nullptr;
  std::size_t copy_capacity_ = 0;
  std::byte* xsave_ = nullptr;
  std::size_t xsave_stride_ = 0;
  std::byte* maps_ = nullptr;
  std::size_t maps_capacity_ = 0;
  std::byte* copies_ = nullptr;
  std::size_t copies_size_ = 0;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_CAPTURE_ARENA_H_
